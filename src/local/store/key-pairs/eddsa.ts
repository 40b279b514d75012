import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { nodeKeyPairType, ofLength, type Signer, type SigningAlgorithms } from './key-pair.js';

const ALGORITHMS: SigningAlgorithms<KeyObject> = {
  ED25519_PH_SHA_512: ed25519Prehash,
  ED25519_SHA_512: ed25519,
};

/** Ed25519 key pairs. A signature is R and S in 64 bytes (RFC 8032, section 5.1.6). */
export const ED25519_KEY_PAIRS = nodeKeyPairType({
  algorithms: ALGORITHMS,
  generate: () => generateKeyPairSync('ed25519'),
  fits: (privateKey) => privateKey.asymmetricKeyType === 'ed25519',
});

function ed25519(privateKey: KeyObject): Signer {
  return {
    inputs: { RAW: (message) => message },
    sign: (message) => sign(undefined, message, privateKey),
    verify: (message, signature) => verify(undefined, message, privateKey, signature),
  };
}

/** Ed25519ph, which hashes its input: KMS takes a digest and hashes that again. node:crypto does not have it. */
function ed25519Prehash(privateKey: KeyObject): Signer {
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  return {
    inputs: { DIGEST: ofLength(64) },
    sign: (digest) => ed25519ph.sign(digest, seed),
    verify: (digest, signature) =>
      ed25519ph.verify(signature, digest, ed25519ph.getPublicKey(seed), { zip215: false }),
  };
}

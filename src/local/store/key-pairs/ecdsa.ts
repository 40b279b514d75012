import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { hashedBy, type HashName, type KeyPairType, nodeKeyPairType, type Signer } from './key-pair.js';

// node:crypto cannot sign a digest with an EC key: it always hashes first. KMS signs digests.
const CURVES = { prime256v1: p256, secp384r1: p384, secp521r1: p521, secp256k1 };

/** OpenSSL's name of a curve, as `KeyObject.asymmetricKeyDetails` gives it. */
type CurveName = 'prime256v1' | 'secp384r1' | 'secp521r1' | 'secp256k1';

// Neither KMS nor JOSE requires a low s.
const OPTIONS = { prehash: false, lowS: false, format: 'der' } as const;

/** Key pairs on a curve, which sign with ECDSA and one hash. A signature is in DER. */
export function ecdsaKeyPairs(namedCurve: CurveName, hash: HashName, algorithm: string): KeyPairType {
  return nodeKeyPairType({
    algorithms: { [algorithm]: (privateKey) => ecdsa(namedCurve, hash, privateKey) },
    generate: () => generateKeyPairSync('ec', { namedCurve }),
    fits: (privateKey) => privateKey.asymmetricKeyDetails?.namedCurve === namedCurve,
  });
}

function ecdsa(namedCurve: CurveName, hash: HashName, privateKey: KeyObject): Signer {
  const curve = CURVES[namedCurve];
  const scalar = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  return {
    inputs: hashedBy(hash),
    // As with KMS, the signature is different each time.
    sign: (digest) => curve.sign(digest, scalar, { ...OPTIONS, extraEntropy: true }),
    verify: (digest, signature) => curve.verify(signature, digest, curve.getPublicKey(scalar), OPTIONS),
  };
}

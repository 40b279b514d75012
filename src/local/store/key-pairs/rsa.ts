import { constants, generateKeyPairSync, type KeyObject, privateEncrypt, publicDecrypt } from 'node:crypto';
import { digestInfo, pssEncoding, randomSalt, saltIn } from './rsa-encodings.js';
import {
  hashedBy,
  type HashName,
  type KeyPairType,
  nodeKeyPairType,
  type Signer,
  type SigningAlgorithms,
} from './key-pair.js';

const { RSA_PKCS1_PADDING, RSA_NO_PADDING } = constants;

const ALGORITHMS: SigningAlgorithms<KeyObject> = {
  RSASSA_PKCS1_V1_5_SHA_256: (privateKey) => pkcs1(privateKey, 'sha256'),
  RSASSA_PKCS1_V1_5_SHA_384: (privateKey) => pkcs1(privateKey, 'sha384'),
  RSASSA_PKCS1_V1_5_SHA_512: (privateKey) => pkcs1(privateKey, 'sha512'),
  RSASSA_PSS_SHA_256: (privateKey) => pss(privateKey, 'sha256'),
  RSASSA_PSS_SHA_384: (privateKey) => pss(privateKey, 'sha384'),
  RSASSA_PSS_SHA_512: (privateKey) => pss(privateKey, 'sha512'),
};

/** RSA key pairs, which sign with PKCS #1 v1.5 and with PSS. */
export function rsaKeyPairs(modulusLength: number): KeyPairType {
  return nodeKeyPairType({
    algorithms: ALGORITHMS,
    generate: () => generateKeyPairSync('rsa', { modulusLength }),
    fits: ({ asymmetricKeyType, asymmetricKeyDetails }) =>
      asymmetricKeyType === 'rsa' && asymmetricKeyDetails?.modulusLength === modulusLength,
  });
}

// node:crypto cannot sign a digest with an RSA key, but it gives access to RSA itself, below the encoding.

/** RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2). */
function pkcs1(key: KeyObject, hash: HashName): Signer {
  return {
    inputs: hashedBy(hash),
    sign: (digest) => privateEncrypt({ key, padding: RSA_PKCS1_PADDING }, digestInfo(hash, digest)),
    verify: (digest, signature) =>
      isOfModulusLength(signature, key) &&
      publicDecrypt({ key, padding: RSA_PKCS1_PADDING }, signature).equals(digestInfo(hash, digest)),
  };
}

/** RSASSA-PSS (RFC 8017, section 8.1), with a salt that is as long as the hash. */
function pss(key: KeyObject, hash: HashName): Signer {
  const raw = { key, padding: RSA_NO_PADDING };
  const encode = (digest: Uint8Array, salt: Uint8Array) => pssEncoding(hash, digest, salt, bytesIn(key));
  return {
    inputs: hashedBy(hash),
    sign: (digest) => privateEncrypt(raw, encode(digest, randomSalt(hash))),
    verify: (digest, signature) => {
      if (!isOfModulusLength(signature, key)) return false;
      const encoded = publicDecrypt(raw, signature);
      return encoded.equals(encode(digest, saltIn(encoded, hash)));
    },
  };
}

function isOfModulusLength(signature: Uint8Array, key: KeyObject): boolean {
  return signature.length === bytesIn(key);
}

function bytesIn(key: KeyObject): number {
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
}

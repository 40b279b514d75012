import { constants, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { Test } from '@nestjs/testing';
import { type AlgorithmName, KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import type { LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { part } from '../support/forge.js';

export async function startService(options: KmsJwtModuleOptions) {
  const module = await Test.createTestingModule({ imports: [KmsJwtModule.forRoot(options)] }).compile();
  await module.init();
  return { jwt: module.get(KmsJwtService), close: () => module.close() };
}

/** A key pair that is generated and used without this library. */
export interface ForeignKey {
  readonly jwk: Record<string, unknown>;
  /** Undefined for ML-DSA, which `node:crypto` does not have everywhere. */
  readonly privateKey?: KeyObject;
  /** In the format of noble; only for ML-DSA. */
  readonly secretKey?: Uint8Array;
  readonly sign: (input: Buffer) => Uint8Array;
  readonly verify: (input: Buffer, signature: Buffer) => boolean;
}

interface Row {
  readonly keySpec: LocalKmsKeySpec;
  readonly newKey: () => ForeignKey;
  /** The verifier of a public key. */
  readonly verifierOf: (jwk: Record<string, unknown>) => ForeignKey['verify'];
}

/** Each algorithm as `node:crypto` and noble implement it, independent of the library's own table. */
export const ROWS: Readonly<Record<AlgorithmName, Row>> = {
  ES256: ecdsa('ECC_NIST_P256', 'P-256', 'sha256'),
  ES384: ecdsa('ECC_NIST_P384', 'P-384', 'sha384'),
  ES512: ecdsa('ECC_NIST_P521', 'P-521', 'sha512'),
  ES256K: ecdsa('ECC_SECG_P256K1', 'secp256k1', 'sha256'),
  RS256: rsa('RSA_2048', 'sha256', { padding: constants.RSA_PKCS1_PADDING }),
  RS384: rsa('RSA_3072', 'sha384', { padding: constants.RSA_PKCS1_PADDING }),
  RS512: rsa('RSA_4096', 'sha512', { padding: constants.RSA_PKCS1_PADDING }),
  PS256: rsa('RSA_2048', 'sha256', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
  PS384: rsa('RSA_3072', 'sha384', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }),
  PS512: rsa('RSA_4096', 'sha512', { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }),
  Ed25519: ed25519(),
  EdDSA: ed25519(),
  'ML-DSA-44': mlDsa('ML_DSA_44', 'ML-DSA-44', ml_dsa44),
  'ML-DSA-65': mlDsa('ML_DSA_65', 'ML-DSA-65', ml_dsa65),
  'ML-DSA-87': mlDsa('ML_DSA_87', 'ML-DSA-87', ml_dsa87),
};

export const NAMES = Object.keys(ROWS) as AlgorithmName[];

/** A token with any header and claims, signed by a foreign key. */
export function foreignToken(key: ForeignKey, header: object, claims: object): string {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${Buffer.from(key.sign(Buffer.from(input))).toString('base64url')}`;
}

interface SignOptions {
  readonly dsaEncoding?: 'ieee-p1363';
  readonly padding?: number;
  readonly saltLength?: number;
}

function ecdsa(keySpec: LocalKmsKeySpec, namedCurve: string, hash: string): Row {
  const generate = () => generateKeyPairSync('ec', { namedCurve });
  return byNode(keySpec, generate, hash, { dsaEncoding: 'ieee-p1363' });
}

function rsa(keySpec: LocalKmsKeySpec, hash: string, options: SignOptions): Row {
  return byNode(keySpec, () => generateKeyPairSync('rsa', { modulusLength: 2048 }), hash, options);
}

function ed25519(): Row {
  return byNode('ECC_NIST_EDWARDS25519', () => generateKeyPairSync('ed25519'), undefined, {});
}

function byNode(
  keySpec: LocalKmsKeySpec,
  generate: () => { publicKey: KeyObject; privateKey: KeyObject },
  hash: string | undefined,
  options: SignOptions,
): Row {
  const verifierOf: Row['verifierOf'] = (jwk) => {
    const key = createPublicKey({ key: jwk as never, format: 'jwk' });
    return (input, signature) => verify(hash, input, { key, ...options }, signature);
  };
  return {
    keySpec,
    verifierOf,
    newKey: () => {
      const { publicKey, privateKey } = generate();
      const jwk = publicKey.export({ format: 'jwk' }) as Record<string, unknown>;
      return {
        jwk,
        privateKey,
        sign: (input) => sign(hash, input, { key: privateKey, ...options }),
        verify: verifierOf(jwk),
      };
    },
  };
}

function mlDsa(keySpec: LocalKmsKeySpec, alg: AlgorithmName, scheme: typeof ml_dsa44): Row {
  const verifierOf: Row['verifierOf'] = (jwk) => {
    const publicKey = Buffer.from(jwk['pub'] as string, 'base64url');
    return (input, signature) => scheme.verify(signature, input, publicKey);
  };
  return {
    keySpec,
    verifierOf,
    newKey: () => {
      const { publicKey, secretKey } = scheme.keygen();
      const jwk = { kty: 'AKP', alg, pub: Buffer.from(publicKey).toString('base64url') };
      return { jwk, secretKey, sign: (input) => scheme.sign(input, secretKey), verify: verifierOf(jwk) };
    },
  };
}

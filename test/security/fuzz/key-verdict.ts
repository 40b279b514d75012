import { inspect } from 'node:util';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { AlgorithmName } from 'nestjs-kms-jwt';
import { integerOf } from '../algorithm-keys.js';
import { SMALL_ORDER_POINTS } from '../../support/small-order-points.js';

type Jwk = Readonly<Record<string, unknown>>;

/** `either` if readers may refuse the encoding of a key. */
export type Verdict = 'trust' | 'refuse' | 'either';

const CURVES = {
  'P-256': { alg: 'ES256', length: 32, ...p256.Point.CURVE() },
  'P-384': { alg: 'ES384', length: 48, ...p384.Point.CURVE() },
  'P-521': { alg: 'ES512', length: 66, ...p521.Point.CURVE() },
  secp256k1: { alg: 'ES256K', length: 32, ...secp256k1.Point.CURVE() },
} as const;
/** The length of public keys, in bytes (FIPS 204, table 2). */
const ML_DSA_LENGTHS = { 'ML-DSA-44': 1312, 'ML-DSA-65': 1952, 'ML-DSA-87': 2592 } as const;
/** Public keys with which anybody can forge signatures. */
const SMALL_ORDER = new Set<string | undefined>(SMALL_ORDER_POINTS);
const RSA_ALGORITHMS: readonly AlgorithmName[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

/** Whether a public JWK may be trusted under its kid for one of these algorithms. */
export function verdictOnJwk(jwk: unknown, algorithms: readonly AlgorithmName[] = ['ES256']): Verdict {
  if (typeof jwk !== 'object' || jwk === null) return 'refuse';
  const { kid, use = 'sig', key_ops = ['verify'], alg } = jwk as Jwk;
  const isMeant = use === 'sig' && Array.isArray(key_ops) && key_ops.includes('verify');
  const isNamed = typeof kid === 'string' && kid.length > 0 && kid.length <= 256;
  const fitting = algorithmsOf(jwk as Jwk).filter((one) => algorithms.includes(one));
  const named = alg === undefined ? fitting : fitting.filter((one) => one === alg);
  return isMeant && isNamed && named.length === 1 ? verdictOnMembers(jwk as Jwk) : 'refuse';
}

function algorithmsOf({ kty, crv, alg }: Jwk): readonly AlgorithmName[] {
  if (kty === 'EC' && isNameIn(crv, CURVES)) return [CURVES[crv].alg];
  if (kty === 'RSA') return RSA_ALGORITHMS;
  if (kty === 'OKP' && crv === 'Ed25519') return ['Ed25519', 'EdDSA'];
  if (kty === 'AKP' && isNameIn(alg, ML_DSA_LENGTHS)) return [alg];
  return [];
}

function verdictOnMembers(jwk: Jwk): Verdict {
  switch (jwk['kty']) {
    case 'EC':
      return verdictOnPoint(jwk);
    case 'RSA':
      return verdictOnNumbers(jwk);
    case 'OKP':
      return SMALL_ORDER.has(bytesIn(jwk['x'])?.toString('hex')) ? 'refuse' : verdictOnBytes(jwk['x'], 32);
    default:
      return verdictOnBytes(jwk['pub'], ML_DSA_LENGTHS[jwk['alg'] as keyof typeof ML_DSA_LENGTHS]);
  }
}

function verdictOnPoint({ crv, x, y }: Jwk): Verdict {
  const { p, a, b, length } = CURVES[crv as keyof typeof CURVES];
  const [left, right] = [x, y].map(numberIn);
  if (left === undefined || right === undefined || left >= p || right >= p) return 'refuse';
  if ((right * right - (left ** 3n + a * left + b)) % p !== 0n) return 'refuse';
  return [x, y].every((one) => isCanonical(one) && bytesIn(one)?.length === length) ? 'trust' : 'either';
}

function verdictOnNumbers({ n, e }: Jwk): Verdict {
  const [modulus, exponent] = [n, e].map(numberIn);
  if (modulus === undefined || exponent === undefined) return 'refuse';
  const bits = modulus.toString(2).length;
  const isSafe = exponent >= 3n && exponent % 2n === 1n && exponent < 2n ** 33n;
  if (bits < 2048 || bits > 16_384 || !isSafe) return 'refuse';
  return [n, e].every((one) => isCanonical(one) && bytesIn(one)?.[0] !== 0) ? 'trust' : 'either';
}

function verdictOnBytes(encoded: unknown, length: number): Verdict {
  if (bytesIn(encoded)?.length !== length) return 'refuse';
  return isCanonical(encoded) ? 'trust' : 'either';
}

/** The identity of a public key, independent of the encoding of its members. */
export function identityOf(key: unknown): string {
  const { kty, crv, x, y, n, e, alg, pub } = (key ?? {}) as Jwk;
  switch (kty) {
    case 'EC':
      return `EC ${inspect(crv)} ${numbers(x, y)}`;
    case 'RSA':
      return `RSA ${numbers(n, e)}`;
    case 'OKP':
      return `OKP ${inspect(crv)} ${bytesIn(x)?.toString('hex')}`;
    case 'AKP':
      return `AKP ${inspect(alg)} ${bytesIn(pub)?.toString('hex')}`;
    default:
      return 'none';
  }
}

function numbers(...members: unknown[]): string {
  return members.map((one) => numberIn(one)?.toString(16)).join();
}

function isNameIn<T extends object>(name: unknown, table: T): name is keyof T {
  return typeof name === 'string' && Object.hasOwn(table, name);
}

function bytesIn(encoded: unknown): Buffer | undefined {
  return typeof encoded === 'string' ? Buffer.from(encoded, 'base64url') : undefined;
}

function numberIn(encoded: unknown): bigint | undefined {
  const bytes = bytesIn(encoded);
  return bytes && integerOf(bytes);
}

function isCanonical(encoded: unknown): boolean {
  return bytesIn(encoded)?.toString('base64url') === encoded;
}

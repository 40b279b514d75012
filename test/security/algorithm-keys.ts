import type { AlgorithmName } from 'nestjs-kms-jwt';
import { type ForeignKey, ROWS } from '../algorithms/support.js';
import { type Case, encode, goodClaims, type Trust } from './support.js';

export interface NamedKey extends ForeignKey {
  readonly kid: string;
}

/** Keys for one algorithm: two that the verifiers trust, and one that they do not. */
export interface AlgorithmKeys {
  readonly alg: AlgorithmName;
  readonly trusted: NamedKey;
  readonly other: NamedKey;
  readonly attacker: ForeignKey;
  /** Whole seconds since 1970. */
  readonly now: number;
}

/** The header of a valid token. */
export type SignerKeys = Pick<AlgorithmKeys, 'alg' | 'trusted' | 'now'>;

export type AlgorithmCase = Case<AlgorithmKeys>;

export function newAlgorithmKeys(alg: AlgorithmName): AlgorithmKeys {
  const { newKey } = ROWS[alg];
  return {
    alg,
    trusted: { ...newKey(), kid: 'the-key' },
    other: { ...newKey(), kid: 'the-other-key' },
    attacker: newKey(),
    now: Math.floor(Date.now() / 1000),
  };
}

export function trustInAlgorithm({ alg, trusted, other }: AlgorithmKeys): Trust {
  const keys = [trusted, other].map(({ jwk, kid }) => ({ ...jwk, kid, alg, use: 'sig' }));
  return { alg, jwks: { keys } };
}

export const headerFor = ({ alg, trusted }: SignerKeys) => ({ alg, typ: 'JWT', kid: trusted.kid });

/** The signing input of an otherwise valid token. */
export function inputFor(keys: SignerKeys, header: object = {}, claims: object = {}): string {
  return `${encode({ ...headerFor(keys), ...header })}.${encode({ ...goodClaims(keys), ...claims })}`;
}

/** A token with the signature that the case makes. */
export function sealedBy(input: string, sign: (input: Buffer) => Uint8Array): string {
  return `${input}.${Buffer.from(sign(Buffer.from(input))).toString('base64url')}`;
}

/** A token signed with the trusted key. */
export function tokenFor(keys: SignerKeys, header: object = {}, claims: object = {}): string {
  return sealedBy(inputFor(keys, header, claims), keys.trusted.sign);
}

/** A valid token with another signature. */
export function withOtherSignature(
  keys: AlgorithmKeys,
  change: (good: Buffer, input: Buffer) => Uint8Array,
): string {
  return sealedBy(inputFor(keys), (input) => change(Buffer.from(keys.trusted.sign(input)), input));
}

/** A case in which the signature is not that of the key over this token. */
export function changedSignature(
  name: string,
  source: string,
  change: (good: Buffer, input: Buffer, keys: AlgorithmKeys) => Uint8Array,
): AlgorithmCase {
  return {
    name,
    source,
    make: (keys) => withOtherSignature(keys, (good, input) => change(good, input, keys)),
  };
}

/** A number in big-endian bytes. */
export function bytesOf(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');
}

export function integerOf(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);
}

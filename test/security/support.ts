import { createHmac, type KeyObject, sign } from 'node:crypto';
import type { AlgorithmName, VerifyOptions } from 'nestjs-kms-jwt';
import { newKeyPair } from '../support/forge.js';

export const ISSUER = 'https://auth.example';
export const AUDIENCE = 'orders';

/** What a test token is made of: the key that the verifiers trust, another one that they do, and one that they do not. */
export interface Keys {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly other: { readonly kid: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly attacker: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  /** Whole seconds since 1970. */
  readonly now: number;
  /** Claims that every good token has, over the usual ones. */
  readonly claims?: object;
}

/** Something that a verifier may not offer at all; without it a case says nothing about that verifier. */
export type Ability =
  | keyof VerifyOptions
  | 'expectsByExpression'
  | 'maxTokenLength'
  | 'refusesBoundTokens'
  | 'refusesBytes'
  | 'refusesOtherTypes'
  | 'tellsDates';

export interface Case<K = Keys> {
  readonly name: string;
  /** Where it is written that, or became known why. */
  readonly source: string;
  readonly make: (keys: K) => unknown;
  /** What is asked of the token; issuer and audience where it says nothing. */
  readonly options?: VerifyOptions | ((keys: K) => VerifyOptions);
  readonly needs?: readonly Ability[];
}

export type Corpus = Readonly<Record<string, readonly Case[]>>;

export function newKeys(): Keys {
  return {
    kid: 'the-key',
    ...newKeyPair(),
    other: { kid: 'the-other-key', ...newKeyPair() },
    attacker: newKeyPair(),
    now: Math.floor(Date.now() / 1000),
  };
}

/** What a verifier trusts: keys, all of one algorithm. */
export interface Trust {
  readonly alg: AlgorithmName;
  readonly jwks: { readonly keys: readonly Record<string, unknown>[] };
}

export function trustIn(keys: Keys): Trust {
  return { alg: 'ES256', jwks: jwksOf(keys) };
}

/** The key set that a verifier trusts. */
export function jwksOf(keys: Keys) {
  return {
    keys: [keys, keys.other].map(({ publicKey, kid }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg: 'ES256',
      use: 'sig',
    })),
  };
}

/** The trusted key of that name. */
export function keyNamed(keys: Keys, kid: unknown): KeyObject | undefined {
  return [keys, keys.other].find((key) => key.kid === kid)?.publicKey;
}

export function optionsOf<K>(
  { options = { issuer: ISSUER, audience: AUDIENCE } }: Case<K>,
  keys: K,
): VerifyOptions {
  return typeof options === 'function' ? options(keys) : options;
}

export function abilitiesFor<K>(one: Case<K>, keys: K): Ability[] {
  return [...(Object.keys(optionsOf(one, keys)) as Ability[]), ...(one.needs ?? [])];
}

export const goodHeader = ({ kid }: Keys) => ({ alg: 'ES256', typ: 'JWT', kid });

export const goodClaims = ({ now, claims }: Pick<Keys, 'now' | 'claims'>) => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'user-42',
  jti: 'token-1',
  iat: now,
  exp: now + 3600,
  ...claims,
});

/** In base64url: bytes and texts as they are, all else as JSON. */
export function encode(value: unknown): string {
  const bytes = Buffer.isBuffer(value)
    ? value
    : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return bytes.toString('base64url');
}

/** R and S of an ES256 signature. */
export function signature(signingInput: string, privateKey: KeyObject): Buffer {
  return sign('sha256', Buffer.from(signingInput), { key: privateKey, dsaEncoding: 'ieee-p1363' });
}

/** A token over parts that are spelled out already, however badly. */
export function seal(header: string, payload: string, privateKey: KeyObject): string {
  const signingInput = `${header}.${payload}`;
  return `${signingInput}.${signature(signingInput, privateKey).toString('base64url')}`;
}

/** A token that the trusted key did sign. */
export function signed(
  keys: Keys,
  header: unknown = goodHeader(keys),
  payload: unknown = goodClaims(keys),
): string {
  return seal(encode(header), encode(payload), keys.privateKey);
}

/** A token that the trusted key did sign, with further or other claims. */
export function withClaims(keys: Keys, claims: object): string {
  return signed(keys, goodHeader(keys), { ...goodClaims(keys), ...claims });
}

/** The same, for values that only JSON can spell: the member stands behind all others. */
export function withRawClaim(keys: Keys, claim: string, json: string): string {
  const { [claim]: _, ...rest } = goodClaims(keys) as Record<string, unknown>;
  return signed(keys, goodHeader(keys), appendMember(rest, `${JSON.stringify(claim)}:${json}`));
}

/** The JSON of an object with one more member, in the given spelling. */
export function appendMember(object: object, member: string): string {
  return `${JSON.stringify(object).slice(0, -1)},${member}}`;
}

/** A token with another header, signed by the attacker. */
export function forged(keys: Keys, header: object): string {
  return seal(encode({ ...goodHeader(keys), ...header }), encode(goodClaims(keys)), keys.attacker.privateKey);
}

/** A token whose "signature" is an HMAC, as a verifier would compute it that takes the public key for a secret. */
export function hmacToken(keys: Keys, bits: 256 | 384 | 512, secret: string | Buffer): string {
  const signingInput = `${encode({ ...goodHeader(keys), alg: `HS${bits}` })}.${encode(goodClaims(keys))}`;
  return `${signingInput}.${createHmac(`sha${bits}`, secret).update(signingInput).digest('base64url')}`;
}

/** A good token with something else in the place of its signature. */
export function withSignature(keys: Keys, change: (good: Buffer) => Buffer | string): string {
  const signingInput = `${encode(goodHeader(keys))}.${encode(goodClaims(keys))}`;
  const changed = change(signature(signingInput, keys.privateKey));
  return `${signingInput}.${typeof changed === 'string' ? changed : changed.toString('base64url')}`;
}

export function partsOf(token: string): [header: string, payload: string, signature: string] {
  return token.split('.') as [string, string, string];
}

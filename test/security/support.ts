import { createHmac, type KeyObject, sign } from 'node:crypto';
import type { AlgorithmName, VerifyOptions } from 'nestjs-kms-jwt';
import { newKeyPair } from '../support/forge.js';

export const ISSUER = 'https://auth.example';
export const AUDIENCE = 'orders';

/** The keys of the corpus: two that the verifiers trust, and one that they do not. */
export interface Keys {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly other: { readonly kid: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly attacker: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  /** Whole seconds since 1970. */
  readonly now: number;
  /** Additional claims of every valid token. */
  readonly claims?: object;
}

/** A feature that a verifier may lack; cases that need it do not apply to that verifier. */
export type Ability =
  | keyof VerifyOptions
  | 'expectsByExpression'
  | 'maxTokenLength'
  | 'refusesBoundTokens'
  | 'refusesBytes'
  | 'refusesOtherTypes'
  | 'reportsDates';

export interface Case<K = Keys> {
  readonly name: string;
  /** The section or CVE behind the case. */
  readonly source: string;
  readonly make: (keys: K) => unknown;
  /** The options of the verification. Default: issuer and audience. */
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

/** The keys that a verifier trusts, all for one algorithm. */
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

/** The trusted key with this kid. */
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

/** Encodes bytes and strings directly, and other values as JSON, in base64url. */
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

/** A signed token of these encoded parts, which may be invalid. */
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

/** The same, for values that only JSON can spell: the member is the last one. */
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

/** A token whose "signature" is an HMAC, with the public key as the secret. */
export function hmacToken(keys: Keys, bits: 256 | 384 | 512, secret: string | Buffer): string {
  const signingInput = `${encode({ ...goodHeader(keys), alg: `HS${bits}` })}.${encode(goodClaims(keys))}`;
  return `${signingInput}.${createHmac(`sha${bits}`, secret).update(signingInput).digest('base64url')}`;
}

/** A valid token with a changed signature part. */
export function withSignature(keys: Keys, change: (good: Buffer) => Buffer | string): string {
  const signingInput = `${encode(goodHeader(keys))}.${encode(goodClaims(keys))}`;
  const changed = change(signature(signingInput, keys.privateKey));
  return `${signingInput}.${typeof changed === 'string' ? changed : changed.toString('base64url')}`;
}

export function partsOf(token: string): [header: string, payload: string, signature: string] {
  return token.split('.') as [string, string, string];
}

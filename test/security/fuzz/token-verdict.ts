import { isUtf8 } from 'node:buffer';
import { createHash, type KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { AUDIENCE, ISSUER, keyNamed, type Keys, partsOf } from '../support.js';
import { hasAmbiguousNames } from './json-names.js';

/** The default of maxTokenLength, in characters. */
const MAX_LENGTH = 16_384;
/** The last second in the range of Date (ECMA-262, section 21.4.1.1). */
const LAST_DATE = 8.64e12;
/** RFC 4648, sections 3.5 and 5: no padding, and no set bits after the last byte. */
const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/** Whether a token must be accepted, by an independent implementation with `@noble/curves`. */
export function isGood(token: unknown, keys: Keys): boolean {
  const contents = contentsOf(token);
  if (!contents) return false;
  const { header, payload } = contents;
  return (
    isGoodHeader(header) &&
    areGoodClaims(payload, keys.now) &&
    isSigned(token as string, keyNamed(keys, header['kid']))
  );
}

type JsonObject = Record<string, unknown>;

/** The contents of a JWS in compact serialization; undefined for anything else. */
export function contentsOf(token: unknown): { header: JsonObject; payload: JsonObject } | undefined {
  if (typeof token !== 'string' || token.length > MAX_LENGTH) return undefined;
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every((part) => CANONICAL.test(part))) return undefined;
  const [header, payload] = parts.map(objectIn);
  return header && payload && { header, payload };
}

function objectIn(part: string): JsonObject | undefined {
  const bytes = Buffer.from(part, 'base64url');
  if (!isUtf8(bytes)) return undefined;
  try {
    const json = bytes.toString('utf8');
    const value = JSON.parse(json) as unknown;
    const isObject = Object.prototype.toString.call(value) === '[object Object]';
    return isObject && !hasAmbiguousNames(json) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function isGoodHeader(header: JsonObject): boolean {
  if (header['alg'] !== 'ES256') return false;
  if (['crit', 'b64', 'enc'].some((parameter) => parameter in header)) return false;
  const { typ = 'JWT' } = header;
  return typeof typ === 'string' && /^(?:application\/)?jwt$/i.test(typ);
}

function areGoodClaims(claims: JsonObject, now: number): boolean {
  const { iss, aud, sub = '', jti = '', exp = Infinity, nbf = 0, iat = 0 } = claims;
  const audiences = Array.isArray(aud) ? (aud as unknown[]) : [aud];
  return (
    iss === ISSUER &&
    audiences.includes(AUDIENCE) &&
    [...audiences, sub, jti].every((value) => typeof value === 'string') &&
    [nbf, iat, ...('exp' in claims ? [exp] : [])].every(isDate) &&
    now < (exp as number) &&
    now >= (nbf as number) &&
    !('cnf' in claims)
  );
}

function isDate(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= LAST_DATE;
}

function isSigned(token: string, publicKey: KeyObject | undefined): boolean {
  if (!publicKey) return false;
  const [header, payload, signature] = partsOf(token);
  const bytes = Buffer.from(signature, 'base64url');
  if (bytes.length !== 64) return false;
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([0x04]), ...[x, y].map((one) => Buffer.from(one, 'base64url'))]);
  const digest = createHash('sha256').update(`${header}.${payload}`).digest();
  try {
    return p256.verify(bytes, digest, point, { prehash: false, lowS: false, format: 'compact' });
  } catch {
    // It throws if r or s is out of range.
    return false;
  }
}

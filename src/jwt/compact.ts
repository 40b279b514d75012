import { TokenMalformedError } from '../errors/errors.js';
import { decodeBase64url } from './base64url.js';
import type { JwtClaims } from './claims.js';
import { parseUnambiguousJson } from './json.js';

/** A JOSE header as received; only `verify` checks it (RFC 7515, section 4). */
export interface JwtHeader {
  alg?: unknown;
  typ?: unknown;
  kid?: unknown;
  [parameter: string]: unknown;
}

/** A parsed JWS in compact serialization (RFC 7515, section 7.1). Nothing in it has been verified. */
export interface CompactJws {
  header: JwtHeader;
  payload: JwtClaims;
  signature: Buffer;
  /** `header.payload` as received: what the signature covers. */
  signingInput: string;
}

// ignoreBOM keeps a byte order mark in the string, where JSON.parse refuses it.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses a token in time linear in its length.
 *
 * @param maxLength in characters; a longer token is refused before it is read
 * @throws TokenMalformedError unless the token is three parts of canonical base64url, the first two JSON objects in UTF-8
 * without duplicate or mistakable member names
 */
export function parseCompact(token: unknown, maxLength: number): CompactJws {
  if (typeof token !== 'string') throw new TokenMalformedError('The token is not a string');
  if (token.length > maxLength)
    throw new TokenMalformedError(`The token is longer than ${maxLength} characters`);

  const headerEnd = token.indexOf('.');
  const payloadEnd = token.indexOf('.', headerEnd + 1);
  if (payloadEnd === -1 || token.includes('.', payloadEnd + 1)) {
    throw new TokenMalformedError('The token does not have three parts');
  }

  return {
    header: parseObject('header', token.slice(0, headerEnd)),
    payload: parseObject('payload', token.slice(headerEnd + 1, payloadEnd)),
    signature: decodeBase64url(token.slice(payloadEnd + 1)),
    signingInput: token.slice(0, payloadEnd),
  };
}

function parseObject(part: string, encoded: string): Record<string, unknown> {
  const value = parseJson(part, decodeBase64url(encoded));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TokenMalformedError(`The ${part} of the token is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function parseJson(part: string, bytes: Buffer): unknown {
  try {
    return parseUnambiguousJson(utf8.decode(bytes));
  } catch {
    // The parser's own error quotes the token, so it is no cause.
    throw new TokenMalformedError(`The ${part} of the token is not unambiguous JSON in UTF-8`);
  }
}

/** RFC 7515, section 4.1.9: media types are compared case-insensitively, and `application/` may be left out. */
export function canonicalType(typ: string): string {
  // They are ASCII (RFC 6838, section 4.2); toLowerCase would also map other characters, such as the Kelvin sign.
  return typ.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/^application\//, '');
}

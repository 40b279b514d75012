import { TokenMalformedError } from '../errors/errors.js';
import { decodeBase64url } from './base64url.js';
import type { JwtClaims } from './claims.js';
import { parseUnambiguousJson } from './json.js';

/** A JOSE header as it came: only `verify` says which of it can be believed (RFC 7515, section 4). */
export interface JwtHeader {
  alg?: unknown;
  typ?: unknown;
  kid?: unknown;
  [parameter: string]: unknown;
}

/** A JWS in compact serialization, taken apart (RFC 7515, section 7.1). Nothing of it has been checked. */
export interface CompactJws {
  header: JwtHeader;
  payload: JwtClaims;
  signature: Buffer;
  /** `header.payload` as it came: what the signature covers. */
  signingInput: string;
}

// ignoreBOM keeps a byte order mark in the text, where JSON.parse refuses it.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Takes a token apart in time linear in its length.
 *
 * @param maxLength in characters; a longer token is refused before it is read
 * @throws TokenMalformedError for whatever is not three parts of canonical base64url, two of them JSON objects in
 * UTF-8 without a member that stands twice or may be taken for another
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

function parseObject(part: string, text: string): Record<string, unknown> {
  const value = parseJson(part, decodeBase64url(text));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TokenMalformedError(`The ${part} of the token is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function parseJson(part: string, bytes: Buffer): unknown {
  try {
    return parseUnambiguousJson(utf8.decode(bytes));
  } catch {
    // The parser's own message quotes the text, so it is not kept as the cause.
    throw new TokenMalformedError(`The ${part} of the token is not unambiguous JSON in UTF-8`);
  }
}

/** RFC 7515, section 4.1.9: media types are told apart without case, and `application/` may be left out. */
export function canonicalType(typ: string): string {
  // They are ASCII (RFC 6838, section 4.2): Unicode has other capitals of the same small letters.
  return typ.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/^application\//, '');
}

import { isUtf8 } from 'node:buffer';
import { TokenMalformedError } from '../errors/errors.js';
import { decodeBase64url } from './base64url.js';
import type { JwtClaims } from './claims.js';
import { parseUnambiguousJson } from './json.js';

/** A JOSE header as received; only `verify` checks it (RFC 7515, section 4). */
export interface JwtHeader {
  /** The algorithm of the signature, such as `ES256`. */
  alg?: unknown;
  /** The type of the token, such as `JWT` or `at+jwt`. */
  typ?: unknown;
  /** The id of the key. */
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

/** A token that is split at its dots. Nothing in it has been decoded. */
export interface CompactParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
  /** `header.payload` as received: what the signature covers. */
  readonly signingInput: string;
}

/** A token whose payload was read, because `iss` selects the keys. Nothing in it has been verified. */
export interface ReceivedToken {
  readonly parts: CompactParts;
  /** The payload as received. */
  readonly json: string;
  readonly payload: JwtClaims;
}

/** Reads the payload of a token. @throws TokenMalformedError unless it is a JSON object, in a string of three parts */
export function receiveToken(token: unknown, maxLength: number): ReceivedToken {
  const parts = splitCompact(token, maxLength);
  const json = readText('payload', parts.payload);
  return { parts, json, payload: parseObject('payload', json) };
}

/**
 * Parses a token in time linear in its length.
 *
 * @param maxLength in characters; a longer token is refused before it is read
 * @throws TokenMalformedError unless the token is three parts of canonical base64url, the first two JSON objects in UTF-8
 * without duplicate or mistakable member names
 */
export function parseCompact(token: unknown, maxLength: number): CompactJws {
  const parts = splitCompact(token, maxLength);
  return {
    header: parseObject('header', readText('header', parts.header)),
    payload: parseObject('payload', readText('payload', parts.payload)),
    signature: decodeBase64url(parts.signature),
    signingInput: parts.signingInput,
  };
}

/** Like `parseCompact`; undefined if the token is not a JWS. */
export function tryParseCompact(token: unknown, maxLength: number): CompactJws | undefined {
  try {
    return parseCompact(token, maxLength);
  } catch {
    return undefined;
  }
}

/** RFC 9110, section 11.1: compared case-insensitively. */
const SCHEME = /^bearer /i;

/** @throws TokenMalformedError unless the token is a string of at most that length with three parts */
export function splitCompact(token: unknown, maxLength: number): CompactParts {
  if (typeof token !== 'string') throw new TokenMalformedError('The token is not a string');
  if (SCHEME.test(token)) {
    throw new TokenMalformedError('The token begins with Bearer: pass it without the authentication scheme');
  }
  if (token.length > maxLength)
    throw new TokenMalformedError(`The token is longer than ${maxLength} characters`);

  const headerEnd = token.indexOf('.');
  const payloadEnd = token.indexOf('.', headerEnd + 1);
  if (payloadEnd === -1 || token.includes('.', payloadEnd + 1)) {
    throw new TokenMalformedError('The token does not have three parts');
  }
  return {
    header: token.slice(0, headerEnd),
    payload: token.slice(headerEnd + 1, payloadEnd),
    signature: token.slice(payloadEnd + 1),
    signingInput: token.slice(0, payloadEnd),
  };
}

/** The text of a part. @throws TokenMalformedError unless it is canonical base64url of UTF-8 */
export function readText(part: string, encoded: string): string {
  const bytes = decodeBase64url(encoded);
  if (!isUtf8(bytes)) throw notJson(part);
  // This keeps a byte order mark, which JSON.parse refuses.
  return bytes.toString();
}

/** The object in the text of a part. @throws TokenMalformedError unless it is unambiguous JSON */
export function parseObject(part: string, text: string): Record<string, unknown> {
  const value = parseJson(part, text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TokenMalformedError(`The ${part} of the token is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function parseJson(part: string, text: string): unknown {
  try {
    return parseUnambiguousJson(text);
  } catch {
    // The parser's own error quotes the token, so it is not used as the cause.
    throw notJson(part);
  }
}

function notJson(part: string): TokenMalformedError {
  return new TokenMalformedError(`The ${part} of the token is not unambiguous JSON in UTF-8`);
}

/** RFC 7515, section 4.1.9: media types are compared case-insensitively, and `application/` may be left out. */
export function canonicalType(typ: string): string {
  // Media types are ASCII (RFC 6838, section 4.2); toLowerCase would also map other characters, such as the Kelvin sign.
  return typ.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/^application\//, '');
}

import { TokenMalformedError } from '../errors/errors.js';

export function encodeBase64url(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64url');
}

/**
 * Decodes the one canonical spelling of some bytes (RFC 7515, section 2; RFC 4648, section 3.5). Node's decoder
 * skips padding, whitespace, foreign characters and set trailing bits, so a text counts only if the bytes spell it
 * again.
 *
 * @throws TokenMalformedError for any other spelling
 */
export function decodeBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) {
    throw new TokenMalformedError('The token is not in canonical base64url');
  }
  return bytes;
}

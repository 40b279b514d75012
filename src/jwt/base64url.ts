import { TokenMalformedError } from '../errors/errors.js';

export function encodeBase64url(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64url');
}

/**
 * Decodes canonical base64url (RFC 7515, section 2; RFC 4648, section 3.5). Node's decoder skips padding, whitespace,
 * foreign characters and set trailing bits, so the bytes are encoded again and compared.
 *
 * @throws TokenMalformedError for any other encoding
 */
export function decodeBase64url(encoded: string): Buffer {
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.toString('base64url') !== encoded) {
    throw new TokenMalformedError('The token is not in canonical base64url');
  }
  return bytes;
}

import { type KeyObject, verify } from 'node:crypto';
import { derToJose } from 'ecdsa-sig-formatter';
import { KmsSignatureError } from '../errors.js';
import type { Algorithm } from './algorithms.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Turns an ECDSA signature from ASN.1 DER, as KMS answers, into base64url of R‖S, as JOSE wants it (RFC 7518,
 * section 3.4). The DER is read strictly first: ecdsa-sig-formatter lets several malformed encodings through.
 *
 * @throws KmsSignatureError for anything but the one DER encoding of two positive integers of the curve's length
 */
export function derToJoseSignature(der: Uint8Array, algorithm: Algorithm): string {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  // X.690, section 8.1.3.4: up to 127 bytes the length is one byte, and so it is for every curve up to P-384.
  const isSequence =
    bytes[0] === SEQUENCE && bytes.length >= 2 && bytes.length < 130 && bytes[1] === bytes.length - 2;
  const sStart = isSequence ? endOfInteger(bytes, 2, algorithm.integerLength) : undefined;
  const end = sStart === undefined ? undefined : endOfInteger(bytes, sStart, algorithm.integerLength);
  if (end !== bytes.length)
    throw new KmsSignatureError('KMS returned a signature that is not well-formed DER');

  return derToJose(bytes, algorithm.alg);
}

/** Where the positive, minimally encoded INTEGER at `start` ends, or undefined where none stands. */
function endOfInteger(bytes: Buffer, start: number, maxLength: number): number | undefined {
  const length = bytes[start + 1] ?? 0;
  const first = bytes[start + 2] ?? 0;
  const second = bytes[start + 3] ?? 0;
  const end = start + 2 + length;
  if (bytes[start] !== INTEGER || length === 0 || end > bytes.length) return undefined;

  const isNegative = first >= 0x80;
  const isZero = first === 0 && length === 1;
  const isPaddedInVain = first === 0 && length > 1 && second < 0x80;
  const isTooLong = length > maxLength + 1 || (length === maxLength + 1 && first !== 0);
  return isNegative || isZero || isPaddedInVain || isTooLong ? undefined : end;
}

/** Whether a JOSE signature (R‖S) is the key's over these bytes. Any signature gets an answer; none throws. */
export function isSignatureValid(
  signingInput: string,
  signature: Buffer,
  publicKey: KeyObject,
  algorithm: Algorithm,
): boolean {
  if (signature.length !== 2 * algorithm.integerLength) return false;
  return verify(
    algorithm.hash,
    Buffer.from(signingInput),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    signature,
  );
}

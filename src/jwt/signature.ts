import { type KeyObject, verify } from 'node:crypto';
import { derToJose } from 'ecdsa-sig-formatter';
import { KmsSignatureError } from '../errors/errors.js';
import type { Algorithm } from './algorithms.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Converts an ECDSA signature from ASN.1 DER, as in the reply of KMS, to base64url of R‖S, as in JOSE (RFC 7518,
 * section 3.4). The DER is checked strictly first: ecdsa-sig-formatter accepts several malformed encodings.
 *
 * @throws KmsSignatureError unless it is the DER encoding of two positive integers of at most the curve's length
 */
export function derToJoseSignature(der: Uint8Array, algorithm: Algorithm): string {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  // X.690, section 8.1.3.4: up to 127 bytes the length is one byte, and so it is for every curve up to P-384.
  const isSequence = bytes[0] === SEQUENCE && bytes[1] === bytes.length - 2;
  const rEnd = endOfInteger(bytes, 2, algorithm.integerLength);
  const sEnd = endOfInteger(bytes, rEnd, algorithm.integerLength);
  if (!isSequence || sEnd !== bytes.length)
    throw new KmsSignatureError('KMS returned a signature that is not well-formed DER');

  return derToJose(bytes, algorithm.alg);
}

/** The end of the positive, minimally encoded INTEGER at `start`; NaN if there is none. */
function endOfInteger(bytes: Buffer, start: number, maxLength: number): number {
  const length = bytes[start + 1] ?? 0;
  const end = start + 2 + length;
  // Also true for a zero of one byte, and for an integer without bytes.
  const [first = 0, second = 0] = bytes.subarray(start + 2, end);
  const isNegative = first >= 0x80;
  const isPadded = first === 0 && second < 0x80;
  const isTooLong = length > (first === 0 ? maxLength + 1 : maxLength);
  return bytes[start] !== INTEGER || isNegative || isPadded || isTooLong ? NaN : end;
}

/** Whether a JOSE signature (R‖S) over these bytes was made by the key. Never throws, whatever the signature is. */
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

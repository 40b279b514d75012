import { derToJose, joseToDer } from 'ecdsa-sig-formatter';
import { KmsSignatureError, TokenSignatureError } from '../errors/errors.js';
import type { VerificationKey } from './jwk.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** X.690, section 8.1.3.5: a length of 128 to 255 is one byte, after this one. */
const LONG_FORM = 0x81;

/** The names by which ecdsa-sig-formatter knows the lengths of r and s. */
const LENGTH_NAMES: Readonly<Record<number, string>> = { 32: 'ES256', 48: 'ES384', 66: 'ES512' };

type Key = Pick<VerificationKey, 'algorithm' | 'signatureLength'>;

/**
 * Converts a signature from the encoding of KMS to that of JOSE, in bytes: ECDSA signatures are ASN.1 DER in KMS and R‖S in JOSE
 * (RFC 7518, section 3.4), all others are the same. The DER is checked strictly first: ecdsa-sig-formatter accepts several
 * malformed encodings.
 *
 * @throws KmsSignatureError unless an ECDSA signature is the DER encoding of two positive integers of at most the curve's length;
 * unless any other signature has the length that the key requires
 */
export function fromKmsSignature(signature: Uint8Array, { algorithm, signatureLength }: Key): Buffer {
  const bytes = Buffer.from(signature.buffer, signature.byteOffset, signature.byteLength);
  const { integerLength } = algorithm;
  if (integerLength === undefined) {
    if (bytes.length !== signatureLength)
      throw new KmsSignatureError('KMS returned a signature of the wrong length');
    return bytes;
  }
  const start = startOfContent(bytes);
  const rEnd = endOfInteger(bytes, start, integerLength);
  const sEnd = endOfInteger(bytes, rEnd, integerLength);
  if (sEnd !== bytes.length)
    throw new KmsSignatureError('KMS returned a signature that is not well-formed DER');

  return Buffer.from(derToJose(bytes, LENGTH_NAMES[integerLength] as string), 'base64url');
}

/**
 * Converts a signature from the encoding of JOSE to that of KMS.
 *
 * @throws TokenSignatureError unless it has the length that the key requires, and an ECDSA signature consists of two positive
 * integers
 */
export function toKmsSignature(signature: Buffer, { algorithm, signatureLength }: Key): Uint8Array {
  const { integerLength } = algorithm;
  if (signature.length !== signatureLength) throw new TokenSignatureError();
  if (integerLength === undefined) return signature;
  // ecdsa-sig-formatter encodes a zero as malformed DER.
  const integers = [signature.subarray(0, integerLength), signature.subarray(integerLength)];
  if (integers.some((integer) => integer.every((byte) => byte === 0))) throw new TokenSignatureError();
  return joseToDer(signature, LENGTH_NAMES[integerLength] as string);
}

/** The start of the content of the SEQUENCE that takes up all of these bytes; NaN if there is none. */
function startOfContent(bytes: Buffer): number {
  const [tag, first = 0, second = 0] = bytes;
  if (tag !== SEQUENCE) return NaN;
  // DER allows only the shortest form: a P-521 signature needs the long form if its content has 128 bytes or more.
  if (first < 0x80) return first === bytes.length - 2 ? 2 : NaN;
  return first === LONG_FORM && second >= 0x80 && second === bytes.length - 3 ? 3 : NaN;
}

/** The end of the positive, minimally encoded INTEGER at `start`; NaN if there is none. */
function endOfInteger(bytes: Buffer, start: number, maxLength: number): number {
  const length = bytes[start + 1] ?? 0;
  const end = start + 2 + length;
  // `isPadded` is also true for a zero of one byte, and for an integer without bytes.
  const [first = 0, second = 0] = bytes.subarray(start + 2, end);
  const isNegative = first >= 0x80;
  const isPadded = first === 0 && second < 0x80;
  const isTooLong = length > (first === 0 ? maxLength + 1 : maxLength);
  return bytes[start] !== INTEGER || isNegative || isPadded || isTooLong ? NaN : end;
}

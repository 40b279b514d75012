import { createHash } from 'node:crypto';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { Algorithm, MessageType } from '../jwt/algorithms.js';
import type { VerificationKey } from '../jwt/jwk.js';
import { externalMu, mlDsaEncodingOf } from '../jwt/ml-dsa.js';
import type { KmsJwtSettings } from '../options/settings.js';

/** The longest RAW message that AWS Sign and Verify accept, in bytes. */
const MAX_RAW_LENGTH = 4096;

/** The message of AWS Sign and Verify. */
export interface KmsMessage {
  readonly messageType: MessageType;
  readonly message: Uint8Array;
}

/**
 * The message that is sent to KMS to sign or verify a token.
 *
 * @param option the module's `messageType`; for `DIGEST`, algorithms that accept no digest use the type that they need
 * @throws KmsJwtOptionsError for a token that is too long for RAW
 */
export function kmsMessage(
  signingInput: string,
  { algorithm, publicKey }: Pick<VerificationKey, 'algorithm' | 'publicKey'>,
  option: KmsJwtSettings['messageType'],
): KmsMessage {
  const messageType = option === 'RAW' ? 'RAW' : algorithm.messageType;
  const bytes = Buffer.from(signingInput, 'latin1');
  switch (messageType) {
    case 'DIGEST':
      return { messageType, message: digestOf(bytes, algorithm) };
    case 'EXTERNAL_MU':
      return { messageType, message: externalMu(mlDsaEncodingOf(publicKey)?.bytes as Buffer, bytes) };
    default:
      if (bytes.length > MAX_RAW_LENGTH) throw tooLong(bytes.length, algorithm);
      return { messageType, message: bytes };
  }
}

function digestOf(bytes: Buffer, { hash }: Algorithm): Buffer {
  return createHash(hash as string)
    .update(bytes)
    .digest();
}

function tooLong(length: number, { alg, messageType }: Algorithm): KmsJwtOptionsError {
  if (messageType === 'RAW') {
    return new KmsJwtOptionsError(
      'algorithm',
      `${alg} takes tokens of up to ${MAX_RAW_LENGTH} bytes before the signature, as KMS hashes them itself; this one has ${length}: shorten the claims, or use another algorithm`,
    );
  }
  const limit = `'RAW' takes tokens of up to ${MAX_RAW_LENGTH} bytes before the signature`;
  return new KmsJwtOptionsError('messageType', `${limit}; this one has ${length}: use 'DIGEST'`);
}

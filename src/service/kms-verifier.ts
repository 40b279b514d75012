import { TokenKeyNotInKmsError } from '../errors/errors.js';
import { decodeBase64url } from '../jwt/base64url.js';
import type { VerificationKey } from '../jwt/jwk.js';
import { toKmsSignature } from '../jwt/kms-signature.js';
import { isInKms } from '../keys/signing-key.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import type { KmsJwtSettings } from '../options/settings.js';
import { kmsMessage } from './kms-message.js';

/** Has KMS verify the signatures of tokens, for `verification: 'kms'`. */
export class KmsVerifier {
  /** @param gateway undefined in a service without a key in KMS */
  constructor(
    private readonly gateway: Pick<KmsGateway, 'verify'> | undefined,
    private readonly settings: Pick<KmsJwtSettings, 'messageType'>,
  ) {}

  /**
   * Calls KMS each time: no answer is cached.
   *
   * @param token a token whose signature was verified locally, so that forgeries do not use up the quota of `sign`
   * @param key the key that verified it
   * @throws TokenKeyNotInKmsError for a key without an ARN; KmsJwtOptionsError for a token that is too long for RAW; what the
   * gateway throws
   */
  async verify(token: string, key: VerificationKey): Promise<void> {
    if (!this.gateway || !isInKms(key)) throw new TokenKeyNotInKmsError();
    const { algorithm, keyArn: keyId } = key;
    const end = token.lastIndexOf('.');
    const message = kmsMessage(token.slice(0, end), key, this.settings.messageType);
    const signature = toKmsSignature(decodeBase64url(token.slice(end + 1)), key);
    await this.gateway.verify({ keyId, algorithm, ...message, signature });
  }
}

import { createPublicKey, type KeyObject } from 'node:crypto';
import { KmsJwtOptionsError, KmsKeyError } from '../errors.js';
import { ALGORITHMS, ES256 } from '../jwt/algorithms.js';
import { thumbprint, toJwk } from '../jwt/jwk.js';
import type { KidOption } from '../kms-jwt.options.js';
import type { KmsGateway, KmsPublicKey } from '../kms/kms-gateway.js';
import type { SigningKey } from './signing-key.js';

/** Where the ring gets a key that lives in KMS. */
export class KmsKeySource {
  constructor(
    private readonly gateway: Pick<KmsGateway, 'getPublicKey'>,
    private readonly keyId: string,
    private readonly kid: KidOption,
  ) {}

  /** @throws KmsKeyError for a key of another spec or usage, and what the gateway throws */
  async load(): Promise<SigningKey> {
    const answer = await this.gateway.getPublicKey(this.keyId);
    const publicKey = readPublicKey(answer);
    const curve = publicKey?.asymmetricKeyDetails?.namedCurve;
    const algorithm = ALGORITHMS.find((row) => row.namedCurve === curve);
    if (!publicKey || !algorithm || answer.keyUsage !== 'SIGN_VERIFY') throw wrongKey(answer);

    const jwk = toJwk(publicKey, algorithm);
    const kid = this.nameOf(answer.keyArn, jwk);
    return { keyArn: answer.keyArn, kid, algorithm, publicKey, jwk: { ...jwk, kid } };
  }

  private nameOf(keyArn: string, jwk: ReturnType<typeof toJwk>): string {
    if (this.kid === 'key-id') return keyIdOf(keyArn);
    if (this.kid === 'thumbprint') return thumbprint(jwk);
    const kid: unknown = this.kid({ keyArn, jwk: { ...jwk } });
    if (typeof kid !== 'string' || kid === '')
      throw new KmsJwtOptionsError('kid', 'must return a string, not empty');
    return kid;
  }
}

/** The last part of a key's ARN: a uuid, or `mrk-…` for a Multi-Region key. A bare key id is its own. */
export function keyIdOf(keyArn: string): string {
  return keyArn.slice(keyArn.lastIndexOf('/') + 1);
}

function readPublicKey({ spki }: KmsPublicKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function wrongKey({ keyArn, keySpec, keyUsage }: KmsPublicKey): KmsKeyError {
  const is = `${keySpec ?? 'of an unknown spec'} for ${keyUsage ?? 'an unknown usage'}`;
  const remedy = `aws kms create-key --key-spec ${ES256.keySpec} --key-usage SIGN_VERIFY makes one`;
  return new KmsKeyError(
    `The KMS key ${keyArn} is ${is}; it must be ${ES256.keySpec} for SIGN_VERIFY (${remedy})`,
  );
}

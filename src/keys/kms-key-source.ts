import { KmsJwtOptionsError, KmsKeyError } from '../errors/errors.js';
import { printableLine, printableName } from '../errors/printable.js';
import { type Algorithm, algorithmFor, keySpecsOf } from '../jwt/algorithms.js';
import {
  type JsonWebKey,
  type JsonWebKeyWithoutKid,
  MAX_KID_LENGTH,
  newVerificationKey,
  publicKeyFromSpki,
  thumbprint,
  verificationKeyFrom,
  type VerificationKey,
} from '../jwt/jwk.js';
import type { KidOption } from '../options/kms-jwt.options.js';
import { isAlias, keyIdOf } from '../kms/key-arn.js';
import type { KmsGateway, KmsPublicKey } from '../kms/kms-gateway.js';
import type { FetchedKeys } from './rotation.js';
import type { SigningKey } from './signing-key.js';

/** The options that the source needs. */
export interface KmsKeySourceSettings {
  keyId: string;
  kid: KidOption;
  /** The algorithms that a key may have. */
  algorithms: readonly Algorithm[];
  /** Names of KMS keys, as AWS accepts them, and public JWKs. */
  verificationKeys: readonly (string | JsonWebKey)[];
  /** In seconds. */
  refreshInterval: number;
}

/** Fetches the public keys from KMS. Only an alias can be moved to another key, so only aliases are fetched again. */
export class KmsKeySource {
  private readonly known = new Map<string, SigningKey>();

  constructor(
    private readonly gateway: Pick<KmsGateway, 'getPublicKey'>,
    private readonly settings: KmsKeySourceSettings,
  ) {}

  /** @throws KmsKeyError for a key of another spec or usage, and what the gateway throws */
  async load(): Promise<FetchedKeys> {
    const { keyId, verificationKeys, refreshInterval } = this.settings;
    const problems: Error[] = [];
    const [signing, ...others] = await Promise.all([
      this.fetch(keyId),
      ...verificationKeys.map((key) => this.verificationKey(key, problems)),
    ]);
    const isWatched = [keyId, ...verificationKeys].some((key) => typeof key === 'string' && isAlias(key));
    return {
      signing,
      others: others.filter((key) => key !== undefined),
      ...(isWatched && { freshFor: refreshInterval }),
      ...(problems[0] && { problem: problems[0] }),
    };
  }

  /** KMS does not return the public key of a disabled key: the last known one stays in use, and other keys are unaffected. */
  private async verificationKey(
    key: string | JsonWebKey,
    problems: Error[],
  ): Promise<VerificationKey | undefined> {
    if (typeof key !== 'string') return verificationKeyFrom(key, this.settings.algorithms);
    try {
      return await this.fetch(key);
    } catch (error) {
      if (!(error instanceof KmsKeyError)) throw error;
      if (!this.known.has(key)) problems.push(error);
      return this.known.get(key);
    }
  }

  private async fetch(keyId: string): Promise<SigningKey> {
    const known = this.known.get(keyId);
    if (known && !isAlias(keyId)) return known;
    const reply = await this.gateway.getPublicKey(keyId);
    if (known && known.keyArn === reply.keyArn) return known;
    const key = this.readKey(reply);
    this.known.set(keyId, key);
    return key;
  }

  private readKey(reply: KmsPublicKey): SigningKey {
    const { algorithms } = this.settings;
    const { keyArn } = reply;
    const publicKey = publicKeyFromSpki(reply.spki);
    const algorithm = publicKey && algorithmFor(publicKey, algorithms);
    if (!algorithm || reply.keyUsage !== 'SIGN_VERIFY') throw wrongKeyError(reply, algorithms);

    return { ...newVerificationKey(publicKey, algorithm, (jwk) => this.kidFor(keyArn, jwk)), keyArn };
  }

  private kidFor(keyArn: string, jwk: JsonWebKeyWithoutKid): string {
    const { kid: option } = this.settings;
    if (option === 'key-id') return keyIdOf(keyArn);
    if (option === 'thumbprint') return thumbprint(jwk);
    const kid: unknown = option({ keyArn, jwk: { ...jwk } });
    if (typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_LENGTH) return kid;
    throw new KmsJwtOptionsError('kid', `must return a string of 1 to ${MAX_KID_LENGTH} characters`);
  }
}

function wrongKeyError(
  { keyArn, keySpec, keyUsage }: KmsPublicKey,
  algorithms: readonly Algorithm[],
): KmsKeyError {
  const required = keySpecsOf(algorithms);
  const actual = printableLine(`${keySpec ?? 'of an unknown spec'} for ${keyUsage ?? 'an unknown usage'}`);
  const remedy = `create one with aws kms create-key --key-spec ${required.split(' ')[0]} --key-usage SIGN_VERIFY`;
  return new KmsKeyError(
    `The KMS key ${printableName(keyArn)} is ${actual}; it must be ${required} for SIGN_VERIFY (${remedy})`,
  );
}

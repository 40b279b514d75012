import type { JsonWebKey } from '../jwt/jwk.js';
import type { Duration } from './duration.js';

/**
 * The stored state of a rotation, as JSON: public keys only. Times are milliseconds since 1970. It says what has happened;
 * how long a key verifies after that follows from the options of the process that reads it.
 */
export interface StoredRing {
  /** The `name` of the registration of the module. */
  instance: string;
  /** The `keyId`, as it is configured. */
  source: string;
  /** When the alias was last looked up. */
  lookedUpAt: number;
  /** Of the tokens that were signed here, in seconds. */
  longestLifetime?: number;
  /** The key that signs. */
  active?: { keyArn: string; jwk: JsonWebKey };
  /** The key that signs next: `seenAt` is when the alias was first seen to point to it. */
  next?: { keyArn: string; jwk: JsonWebKey; seenAt: number; activatesAt: number };
  /** Former keys: `leftAt` is when the alias was seen to point to another key. */
  retired: { keyArn: string; jwk: JsonWebKey; leftAt: number }[];
  /** Since when further keys have been published; they are not trusted for being listed here. */
  published: { jwk: JsonWebKey; publishedAt: number }[];
  /** The kids and thumbprints of the keys that are never trusted again: see `rotation.distrustedKeys`. */
  distrusted: string[];
}

/**
 * Keeps the keys of a rotation over restarts. Write access to it is the power to have tokens accepted: protect it as
 * you protect the configuration. It belongs to one `name` and one `keyId`; elsewhere it is refused with a
 * `KmsJwtOptionsError`. It is read at start, at every refresh of the keys and before every write.
 *
 * @example
 * ```ts
 * const store: KmsJwtRingStore = {
 *   load: async () => JSON.parse((await redis.get('auth:ring')) ?? 'null') ?? undefined,
 *   save: async (ring) => void (await redis.set('auth:ring', JSON.stringify(ring))),
 * };
 * ```
 */
export interface KmsJwtRingStore {
  /** What is unsafe about the store, known after `load`; written to the log as a warning. */
  readonly warning?: string | undefined;
  /** Returns the state that was saved last; `undefined` if there is none. */
  load(): Promise<StoredRing | undefined>;
  /** Replaces the saved state. */
  save(ring: StoredRing): Promise<void>;
  /** Keeps content that is invalid, before `save` replaces it. Without it, the content is lost. */
  setAside?(): Promise<void>;
}

/**
 * How keys follow each other. Every option needs a `keyId`, except `refreshInterval`, `distrustedKeys`
 * and `maxStale`.
 *
 * @example
 * ```ts
 * const rotation: RotationOptions = {
 *   refreshInterval: '1m',
 *   retireAfter: '1h',
 *   store: new FileRingStore('/var/lib/my-app/ring.json'),
 * };
 * KmsJwtModule.forRoot({ keyId: 'alias/auth', rotation });
 * ```
 */
export interface RotationOptions {
  /**
   * The longest time between two look-ups of an alias; and between two fetches of `jwksUri`, if its response has no
   * `max-age`. Each comes up to 10 % earlier, so that a fleet does not refresh at once; one that failed is repeated within
   * 30 seconds. After this time the function `issuers` is asked again about an issuer. Default: 300 seconds.
   */
  refreshInterval?: Duration | undefined;
  /**
   * How long a key is published before it signs, once the alias has moved to it; 0 for at once. A key in `verificationKeys`
   * waits only for the rest of this time; a key that the alias moves back to waits for all of it; with `requestAlias` any key
   * signs at once. An instance that sees the move late, because it was frozen or cut off, waits for less. If the key that
   * signs is disabled in KMS or distrusted, the next key signs at once. Default: `refreshInterval` and 10 % of it, until every
   * instance has looked the alias up, 300 seconds, in which KMS may still show the old key, and 360 seconds, until no cache
   * has an older key set: 990 seconds in all.
   */
  activationDelay?: Duration | undefined;
  /**
   * How long a key verifies after the last instance can have signed with it: that is `activationDelay` and 630 seconds
   * (`refreshInterval`, 10 % of it, and 300 seconds) after the alias was seen to leave it. At least those 630 seconds, also if
   * less is set. `verifyOptions.clockTolerance` is added. Default: `signOptions.expiresIn`, or 24 hours without it; longer if this
   * instance has signed a token that lives longer (24 hours for a token without `exp`). Tokens that were only verified do
   * not count, because anybody can present one. Set it if other instances sign tokens that live longer than
   * `signOptions.expiresIn`.
   */
  retireAfter?: Duration | undefined;
  /**
   * Further keys that verify and are published, such as the next key before the alias moves to it, or former keys. KMS
   * keys as for `keyId`, or public JWKs. A key that has been listed here for `activationDelay` signs as soon as the alias
   * moves to it. Default: none.
   */
  verificationKeys?: (string | JsonWebKey)[] | undefined;
  /**
   * Keys that are never trusted again, such as stolen ones: by `kid` or by SHA-256 thumbprint (RFC 7638). They do not
   * verify, sign or appear in the key set, wherever they come from, and the `store` keeps their names even after they are
   * removed here. Instances that share a store take over the names at their next refresh. If the key that is to sign is one
   * of them, the app does not start, and `sign` rejects with a `KmsKeyError` until the alias moves to another key. Also
   * for `jwksUri` and `jwks`. See SECURITY.md. Default: none.
   *
   * @example
   * ```ts
   * KmsJwtModule.forRoot({
   *   keyId: 'alias/auth',
   *   rotation: { distrustedKeys: ['1234abcd-12ab-34cd-56ef-1234567890ab'] },
   * });
   * ```
   */
  distrustedKeys?: string[];
  /**
   * How long the keys of `jwksUri` are used without a successful fetch. Then tokens are refused with a
   * `JwksUnavailableError`, a 503, until the key set can be fetched; warnings in the log, in `events` and in `health()`
   * begin at a quarter of this time. The key set is fetched at least four times in it, whatever its `max-age`. Only with
   * `jwksUri`: keys in KMS do not become stale. As long, issuers are accepted that the function `issuers` has returned and
   * cannot be asked about again. Default: 24 hours.
   */
  maxStale?: Duration | undefined;
  /**
   * Keeps the keys of a rotation over restarts. A store of any age is resumed; the first look-up of the alias decides which key
   * signs. Default: none; an instance that starts in the middle of a rotation then signs with the new key at once, and knows
   * the old one only from `verificationKeys`.
   */
  store?: KmsJwtRingStore | undefined;
}

import type { JsonWebKey } from '../jwt/jwk.js';
import type { Duration } from './duration.js';

/**
 * The stored state of a rotation, as JSON: public keys only. Times are milliseconds since 1970. It records what has happened;
 * how long a key verifies after that depends on the options of the process that reads it.
 */
export interface StoredRing {
  /** The `name` of the registration of the module. */
  instance: string;
  /** The `keyId`, as it is configured. */
  source: string;
  /** When the alias was last looked up. */
  lookedUpAt: number;
  /** The longest lifetime of a token that an instance with this store has signed, in seconds. */
  longestLifetime?: number;
  /** The key that signs. */
  active?: { keyArn: string; jwk: JsonWebKey };
  /** The key that signs next: `seenAt` is when the alias was first seen to point to it. */
  next?: { keyArn: string; jwk: JsonWebKey; seenAt: number; activatesAt: number };
  /** Former keys: `leftAt` is when the alias was seen to point to another key. */
  retired: { keyArn: string; jwk: JsonWebKey; leftAt: number }[];
  /**
   * The time since which each key of `rotation.verificationKeys` has been published without a gap. That a key is listed here does
   * not make it trusted.
   */
  published: { jwk: JsonWebKey; publishedAt: number }[];
  /** The kids and thumbprints of the keys that are never trusted again: see `rotation.distrustedKeys`. */
  distrusted: string[];
}

/**
 * Keeps the keys of a rotation across restarts. Anyone who can write to it can make the service accept forged tokens: protect
 * it like the configuration. It belongs to one registration name and one `keyId`; any other registration refuses it with a
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
  /** A safety problem of the store, if there is one: known after `load`, and written to the log as a warning. */
  readonly warning?: string | undefined;
  /** Returns the state that was saved last; `undefined` if there is none. */
  load(): Promise<StoredRing | undefined>;
  /** Replaces the saved state. */
  save(ring: StoredRing): Promise<void>;
  /** Moves invalid content elsewhere before `save` replaces it. Without this method, the content is lost. */
  setAside?(): Promise<void>;
}

/**
 * How keys are rotated. Every option needs a `keyId`, except `refreshInterval`, `distrustedKeys` and `maxStale`.
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
   * The longest time between two lookups of an alias; and between two fetches of a key set, if its response has no
   * `max-age`. Each comes up to 10 % earlier, so that the instances of a fleet do not refresh at the same time; a failed one is
   * repeated within 30 seconds. After this time, the function `issuers` is called again for an issuer. Default: 300 seconds.
   */
  refreshInterval?: Duration | undefined;
  /**
   * How long a key is published before it signs, after the alias has moved to it; with 0, it signs at once. A key in
   * `verificationKeys` waits only for the rest of this time; a key that the alias moves back to waits for all of it; with
   * `requestAlias`, any key signs at once. An instance that sees the move late, because it was suspended or offline, waits less.
   * If the key that signs is disabled in KMS or distrusted, the next key signs at once. Default: the sum of `refreshInterval`
   * plus 10 % (until every instance has looked up the alias), 300 seconds (in which KMS may still return the old key) and 360
   * seconds (until no cache has an older key set): 990 seconds with the default `refreshInterval`.
   */
  activationDelay?: Duration | undefined;
  /**
   * How long a key verifies after the last time that any instance may have signed with it. That time is `activationDelay` plus
   * 630 seconds (`refreshInterval` plus 10 %, and 300 seconds) after the alias was seen to move away. A value below 630 seconds
   * counts as 630 seconds. `verifyOptions.clockTolerance` is added. Default: `signOptions.expiresIn`, or 24 hours without it;
   * longer if this instance has signed a token that lives longer (24 hours for a token without `exp`). Tokens that were only
   * verified do not count, because anybody can present one. Set it if other instances sign tokens that live longer than
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
   * Keys that are never trusted again, such as stolen ones: by `kid` or by SHA-256 thumbprint (RFC 7638). They do not verify,
   * sign or appear in the key set, wherever they come from, and the `store` keeps them even after they are removed here.
   * Instances that share a store read them at their next refresh. If the key that is to sign is one of them, the app does not
   * start; in an app that is already running, `sign` rejects with a `KmsKeyError` until the alias moves to another key. They also
   * apply to `jwksUri`, `jwks` and `issuers`. See SECURITY.md. Default: none.
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
   * How long the keys of `jwksUri`, or of an issuer, are used without a successful fetch. Then their tokens are refused with a
   * `JwksUnavailableError`, a 503, until the key set can be fetched; warnings in the log and in `events` begin at a quarter of
   * this time, and `staleIn` in `health()` is the number of seconds that remain. The key set is fetched at least four times
   * within this time, whatever its `max-age`. Also how long an issuer that the function `issuers` has returned stays accepted
   * while the function fails. Needs `jwksUri` or `issuers`: keys in KMS have no such limit. Default: 24 hours.
   */
  maxStale?: Duration | undefined;
  /**
   * Keeps the keys of a rotation across restarts. The stored state is resumed whatever its age; the first lookup of the alias
   * decides which key signs. Default: none. Without a store, an instance that starts during a rotation signs with the new key
   * at once, and knows the old one only if it is in `verificationKeys`.
   */
  store?: KmsJwtRingStore | undefined;
}

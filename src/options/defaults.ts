// Every default of the module's options, and the values that they are computed from, except for `guard.tokenFrom`: its
// default, fromAuthHeader(), belongs to src/auth, which imports from here.

/** The longest delay of `setTimeout`, in milliseconds. Node runs a timer with a longer one at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The `max-age` of the key set over HTTP, in seconds (RFC 9111, section 5.2.2.1). */
export const JWKS_MAX_AGE_SECONDS = 300;
/** The `stale-while-revalidate` of the key set over HTTP, in seconds (RFC 5861, section 3). */
export const JWKS_STALE_WHILE_REVALIDATE_SECONDS = 60;

/**
 * How long KMS may take until every call sees that an alias has moved, in seconds. KMS is eventually consistent: most changes
 * are visible within seconds, some after several minutes (AWS KMS Developer Guide, "AWS KMS eventual consistency").
 */
export const KMS_PROPAGATION_SECONDS = 300;

/**
 * The share of `refreshInterval` by which a refresh may come earlier, so that the instances of a fleet do not refresh at the same
 * time. Whatever is computed from the interval also allows for a refresh that is late by this share, because it is slow or fails once.
 */
export const REFRESH_JITTER = 0.1;

/** The assumed lifetime of a token without `exp`, and of all tokens without `signOptions.expiresIn`: for `rotation.retireAfter`. */
export const ASSUMED_LIFETIME_SECONDS = 86_400;

export const DEFAULT_KID = 'key-id';
export const DEFAULT_MESSAGE_TYPE = 'DIGEST';

export const DEFAULT_ROTATION = {
  /** In seconds. */
  refreshInterval: 300,
  verificationKeys: [],
  distrustedKeys: [],
  /** In seconds. */
  maxStale: 86_400,
} as const;

/**
 * The default of `rotation.activationDelay`, in seconds: the time until the last instance has seen the alias move and publishes
 * the key, plus the time until no cache has an older key set.
 */
export function defaultActivationDelay(refreshInterval: number): number {
  return (
    Math.ceil(refreshInterval * (1 + REFRESH_JITTER)) +
    KMS_PROPAGATION_SECONDS +
    JWKS_MAX_AGE_SECONDS +
    JWKS_STALE_WHILE_REVALIDATE_SECONDS
  );
}

/** Limited because the cache allocates all of its entries at start, and is scanned when a key is removed. */
export const MAX_CACHED_TOKENS = 100_000;

export const DEFAULT_CACHE = {
  /** In tokens. */
  max: 1000,
} as const;

export const DEFAULT_LIMITS = {
  /** In milliseconds. */
  timeout: 3000,
  /** In calls. */
  maxConcurrency: 50,
  /** In calls. */
  maxQueue: 1000,
  /** In characters. */
  maxTokenLength: 16_384,
  /** In issuers. */
  maxIssuers: 1000,
} as const;

export const DEFAULT_GUARD = {
  property: 'user',
  endAtExpiry: true,
} as const;

/** Limits on time, concurrency and size, for each process. */
export interface LimitOptions {
  /**
   * The longest time, in milliseconds, for each of these:
   * - `sign` as a whole: the key, the queue, KMS and the SDK's retries;
   * - each KMS call, its wait in the queue (at most half of this time) and the SDK's retries included;
   * - each fetch of a key set, together with the metadata that names it;
   * - each call of `rotation.store`;
   * - each call of `isRevoked`;
   * - each call of the function `issuers`;
   * - each call of an asynchronous `schema`.
   *
   * Default: 3000. Maximum: 2,147,483,647.
   */
  timeout?: number | undefined;
  /**
   * How many KMS calls may run at the same time; calls of Verify (`verification: 'kms'`) are counted separately. A client that
   * the module creates has sockets for both; for your own client, raise `maxSockets` together with it. With `regions`, it applies
   * to each Region. Needs a `keyId`. Default: 50, the SDK's own number of sockets.
   */
  maxConcurrency?: number | undefined;
  /**
   * How many more KMS calls may wait in the queue, each for at most half of `timeout`. Any further call fails at once with
   * a `KmsUnavailableError`. With `regions`, it applies to each Region. Needs a `keyId`. Default: 1000.
   */
  maxQueue?: number | undefined;
  /** The maximum length of a token that is verified or decoded, in characters. Default: 16384. */
  maxTokenLength?: number | undefined;
  /** How many issuers found by the function `issuers` are kept; the least recently used is dropped first. Default: 1000. */
  maxIssuers?: number | undefined;
}

/** Options of the cache of verified tokens. */
export interface CacheOptions {
  /** How many tokens are kept, at most 100000; the least recently used is dropped first. Default: 1000. */
  max?: number | undefined;
}

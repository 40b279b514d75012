/** The state of the keys. */
export interface RingHealth {
  /** The `kid` of each key that verifies. */
  keys: string[];
  /** The `kid` of the key that signs; absent in a service that only verifies, and while no key may sign. */
  signing?: string;
  /** Whether the last fetch of the keys succeeded. */
  refresh: 'ok' | 'failed';
  /**
   * Whether the keys may be out of date: the alias or the key set was not fetched in time, because that failed or because the
   * process was suspended. Meanwhile, the key set over HTTP is served with `Cache-Control: no-store`.
   */
  stale: boolean;
  /**
   * With `jwksUri`, and for other issuers: in how many seconds all tokens of these keys will be refused with a 503 unless the key
   * set is fetched again; 0 while they are refused. See `rotation.maxStale`.
   */
  staleIn?: number;
}

import type { AlgorithmName } from '../jwt/algorithms.js';
import type { Expected, ExpectedClaim, JwtClaims } from '../jwt/claims.js';

/** Where the keys of an issuer come from. */
export type IssuerKeys =
  /** Its key set (RFC 7517, section 5), over https, and the path of a snapshot of it. */
  | {
      jwksUri: string;
      /**
       * A JSON file `{ "fetchedAt": "<ISO 8601 time>", "keys": […] }`, whose keys verify until the first fetch succeeds, in the
       * background: for functions that start often. The keys count as old as `fetchedAt` says (`rotation.maxStale`); a file
       * from more than five minutes in the future is not used. A relative path is one below the working directory. Default: none.
       *
       * `curl -s "$JWKS_URI" | jq '{ fetchedAt: (now | todate), keys }' > jwks.json` writes one.
       */
      snapshot?: string | undefined;
    }
  /** The key set that its metadata names (OpenID Connect Discovery 1.0; RFC 8414). The metadata must name the same issuer. */
  | { discovery: true }
  /** The key set itself. */
  | { jwks: { keys: readonly object[] } };

/**
 * An issuer whose tokens are accepted, and what they have to be: one decision, of which no part counts for another issuer.
 *
 * @example
 * ```ts
 * const cognito: IssuerOptions = {
 *   issuer: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI',
 *   algorithms: ['RS256'],
 *   keys: { discovery: true },
 *   claims: { token_use: 'access', client_id: '1example23456789' },
 * };
 * ```
 */
export interface IssuerOptions {
  /** The `iss` of its tokens, compared character by character: a trailing slash counts. */
  issuer: string;
  /** A short name, for `@Issuers()`, `@TokenIssuer()` and the log, which no other issuer has. Default: `issuer`. */
  name?: string | undefined;
  /** The expected `aud`, as in `verifyOptions`. Required, unless `claims` says which client or application tokens are for. */
  audience?: Expected | Expected[];
  /** The algorithms of its keys. They are never taken from its key set or from a token. */
  algorithms: AlgorithmName | AlgorithmName[];
  /** Where its keys come from. */
  keys: IssuerKeys;
  /** The expected `typ` of the header, as in `verifyOptions`. Default: `JWT`, or no `typ`. */
  typ?: string;
  /** Claims that must be present, with any value. Default: none. */
  requiredClaims?: string[];
  /** Claims and their expected values: one of those given, or an array that contains one. Default: none. */
  claims?: Record<string, ExpectedClaim | ExpectedClaim[]>;
  /**
   * The scopes of its tokens, for `@Scopes()`. A function that throws, or returns anything but an array, grants none. Default:
   * those of the claims `scope` and `scp`.
   */
  scopes?: (claims: JwtClaims) => readonly string[];
  /**
   * Allows `http:` URLs beyond loopback, for a mesh with TLS between its proxies, or for a test network: anybody in between can
   * supply keys. Default: false.
   */
  allowInsecureHttp?: boolean | undefined;
}

/**
 * Finds the issuer of a token, for services with many tenants. It is called for each `iss` once in `rotation.refreshInterval`, in
 * the background, unless the issuer is new, no token of it has come for longer than that and 10 %, or others took its place
 * (`limits.maxIssuers`): then the token waits. For an unknown one it is called at most every 30 seconds.
 *
 * An issuer that it no longer returns is not accepted any more, and its connections end; a record that has changed takes effect. While
 * it fails, issuers that it has returned are accepted for `rotation.maxStale`.
 *
 * @param iss as the token has it, before anything is verified: anybody may have written it
 * @returns its options, with the `issuer` as it is stored, as a database may not tell upper from lower case: another one than `iss` is
 * not accepted; undefined if it is not accepted
 *
 * @example
 * ```ts
 * const issuers: IssuerLookupFunction = async (iss) => {
 *   const tenant = await tenants.findOne({ issuer: iss });
 *   return tenant && { issuer: tenant.issuer, audience: 'orders', algorithms: ['RS256'], keys: { discovery: true } };
 * };
 * KmsJwtModule.forRoot({ issuers });
 * ```
 */
export type IssuerLookupFunction = (iss: string) => Promise<IssuerOptions | undefined>;

import type { AlgorithmName } from '../jwt/algorithms.js';
import type { Expected, ExpectedClaim, JwtClaims } from '../jwt/claims.js';

/** Where the keys of an issuer come from. */
export type IssuerKeys =
  /** The URL of its key set (RFC 7517, section 5), and the path of a snapshot of it. */
  | {
      jwksUri: string;
      /**
       * The path of a JSON file `{ "fetchedAt": "<ISO 8601 time>", "keys": […] }`. Its keys verify tokens until the first fetch,
       * in the background, succeeds: for functions that start often, such as AWS Lambda. The age of the keys counts from
       * `fetchedAt` (see `rotation.maxStale`); a file whose `fetchedAt` is more than five minutes in the future is not used. A
       * relative path is resolved from the working directory. Default: none.
       *
       * `curl -s "$JWKS_URI" | jq '{ fetchedAt: (now | todate), keys }' > jwks.json` writes such a file.
       */
      snapshot?: string | undefined;
    }
  /** The key set that its metadata names (OpenID Connect Discovery 1.0; RFC 8414). The metadata must name the same issuer. */
  | { discovery: true }
  /** The key set itself. */
  | { jwks: { keys: readonly object[] } };

/**
 * An issuer whose tokens are accepted, and the rules for them. The rules apply to no other tokens.
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
  /** A short, unique name, for `@Issuers()`, `@TokenIssuer()` and the log. Default: `issuer`. */
  name?: string | undefined;
  /** The expected `aud`, as in `verifyOptions`. Required, unless `claims` identifies the client or application that tokens are for. */
  audience?: Expected | Expected[];
  /** The algorithms of its keys. They are never taken from its key set or from a token. */
  algorithms: AlgorithmName | AlgorithmName[];
  /** Where its keys come from. */
  keys: IssuerKeys;
  /** The expected `typ` of the header, as in `verifyOptions`. Default: `JWT`, or no `typ`. */
  typ?: string;
  /** Claims that must be present, with any value. Default: none. */
  requiredClaims?: string[];
  /**
   * Claims and their expected values. The claim of the token must be one of these values, or an array that contains one.
   * Default: none.
   */
  claims?: Record<string, ExpectedClaim | ExpectedClaim[]>;
  /**
   * Returns the scopes of a token, for `@Scopes()`. A function that throws, or returns anything other than an array, grants none.
   * Default: the scopes in the claims `scope` and `scp`.
   */
  scopes?: (claims: JwtClaims) => readonly string[];
  /**
   * Allows `http:` URLs of hosts other than loopback, for a service mesh with TLS between its proxies, or for a test network:
   * anybody on the network path can supply keys. Default: false.
   */
  allowInsecureHttp?: boolean | undefined;
}

/**
 * Finds the issuer of a token, for services with many tenants. It is called again for each `iss` in use every
 * `rotation.refreshInterval`, in the background. A token waits for the call if its issuer is new, was evicted (`limits.maxIssuers`),
 * or has had no token for longer than that interval plus 10 %. For an `iss` that is not accepted, it is called at most once every 30
 * seconds.
 *
 * An issuer that it no longer returns is no longer accepted, and connections with its tokens end; changed options take effect. While
 * the function fails, issuers that it has returned before stay accepted for `rotation.maxStale`.
 *
 * @param iss the `iss` of a token that is not verified yet: anybody may have written it
 * @returns the options of the issuer; undefined if it is not accepted. Return the `issuer` as it is stored, because a database may
 * ignore case: if it differs from `iss`, the token is refused
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

/**
 * Options that belong beside the others in `forRoot`, and beside `useFactory` in `forRootAsync`: Nest needs them before the
 * factory has returned.
 */
export interface KmsJwtModuleExtras {
  /** Whether every module may inject the service without importing this one. Default: false. */
  isGlobal?: boolean | undefined;
  /** The name of this registration of the module, for apps with several: see `InjectKmsJwt`. Default: the registration without a name. */
  name?: string | undefined;
  /**
   * The path of the key set over HTTP, such as `'.well-known/jwks.json'`. It starts at the root: global prefixes and guards do
   * not apply. Clients may use a cached key set for 360 seconds (`max-age=300`, `stale-while-revalidate=60`). Default: the key
   * set is not served.
   */
  jwksPath?: string | undefined;
  /**
   * Also serves `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`, which contain the URL of the
   * key set. If the issuer has a path, it comes before `/.well-known/openid-configuration` and after
   * `/.well-known/oauth-authorization-server`. Needs `jwksPath`, and a `signOptions.issuer` that is a URL. Default: false.
   */
  discovery?: boolean | undefined;
}

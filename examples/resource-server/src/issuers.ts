import type { IssuerOptions } from 'nestjs-kms-jwt';

/** The key set of the token service: by default, that of examples/token-service on this machine. */
export const JWKS_URI = process.env['JWKS_URI'] || 'http://127.0.0.1:3000/.well-known/jwks.json';

/** A Keycloak realm, such as `https://sso.example.com/realms/shop`. Without it, only token-service is trusted. */
const KEYCLOAK_ISSUER = process.env['KEYCLOAK_ISSUER'];

/** The issuers whose tokens are accepted in addition to those of token-service. */
export const issuers = KEYCLOAK_ISSUER ? [keycloak(KEYCLOAK_ISSUER)] : undefined;

function keycloak(issuer: string): IssuerOptions {
  return {
    name: 'keycloak',
    issuer,
    audience: 'orders', // set by a mapper of the type Audience
    algorithms: 'RS256',
    keys: { discovery: true },
    claims: { typ: 'Bearer' }, // access tokens only
    scopes: ({ realm_access: access }) => (access as { roles?: string[] } | undefined)?.roles ?? [],
  };
}

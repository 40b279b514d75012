import type { IssuerOptions } from 'nestjs-kms-jwt';

/** Where examples/token-service publishes its keys, unless the environment says otherwise. */
export const JWKS_URI = process.env['JWKS_URI'] || 'http://127.0.0.1:3000/.well-known/jwks.json';

/** A realm of Keycloak, such as `https://sso.example.com/realms/shop`; without it, only token-service is trusted. */
const KEYCLOAK_ISSUER = process.env['KEYCLOAK_ISSUER'];

/** The issuers whose tokens are accepted beside those of token-service. */
export const issuers = KEYCLOAK_ISSUER ? [keycloak(KEYCLOAK_ISSUER)] : undefined;

function keycloak(issuer: string): IssuerOptions {
  return {
    name: 'keycloak',
    issuer,
    audience: 'orders', // by a mapper of the type Audience
    algorithms: 'RS256',
    keys: { discovery: true },
    claims: { typ: 'Bearer' }, // an access token
    scopes: ({ realm_access: access }) => (access as { roles?: string[] } | undefined)?.roles ?? [],
  };
}

import type { KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import type { LocalKmsFault } from 'nestjs-kms-jwt/local';
import { part } from '../support/forge.js';
import { REVOKED_ID, SCOPE } from './app-under-test.js';

/** What a refused client is told, whatever it is told by. */
export interface Refusal {
  statusCode: 400 | 401 | 403 | 503;
  message: string;
  errorCode: string;
  /** `WWW-Authenticate`, where the transport is HTTP. */
  challenge?: string;
}

export interface Case {
  name: string;
  /** @returns the token of the call; undefined: none */
  makeToken: (jwt: KmsJwtService) => Promise<string | undefined>;
  /** What is wrong with KMS meanwhile. */
  faultOfKms?: LocalKmsFault;
  /** Options of the module. Default: those of the family alone. */
  options?: Partial<KmsJwtModuleOptions>;
  /** Undefined: the client is let in. */
  refusal?: Refusal;
}

// Nothing that differs from run to run: the answers stand in the documentation.
const CLAIMS = { sub: 'user-42', aud: 'orders', scope: `openid ${SCOPE}`, iat: 1_700_000_000 };

const invalid = (errorCode: string, message: string): Refusal => ({
  statusCode: 401,
  message,
  errorCode,
  challenge: `Bearer error="invalid_token", error_description="${message}"`,
});

export const CASES: Case[] = [
  {
    name: 'valid',
    makeToken: (jwt) => jwt.sign(CLAIMS),
  },
  {
    name: 'none',
    makeToken: async () => undefined,
    refusal: {
      statusCode: 401,
      message: 'The request carries no bearer token',
      errorCode: 'token_missing',
      challenge: 'Bearer',
    },
  },
  {
    name: 'altered',
    async makeToken(jwt) {
      const [header, , signature] = (await jwt.sign(CLAIMS)).split('.');
      return `${header}.${part({ ...CLAIMS, sub: 'administrator' })}.${signature}`;
    },
    refusal: invalid('token_signature_invalid', 'The signature of the token does not verify'),
  },
  {
    name: 'expired',
    makeToken: (jwt) => jwt.sign({ ...CLAIMS, exp: 1_700_000_900 }),
    refusal: invalid('token_expired', 'The token has expired'),
  },
  {
    name: 'wrong audience',
    makeToken: (jwt) => jwt.sign({ ...CLAIMS, aud: 'invoices' }),
    refusal: invalid('token_claim_invalid', 'The aud claim does not match the expected audience'),
  },
  {
    name: 'missing scope',
    makeToken: (jwt) => jwt.sign({ ...CLAIMS, scope: 'openid' }),
    refusal: {
      statusCode: 403,
      message: `The request needs the scope ${SCOPE}`,
      errorCode: 'insufficient_scope',
      challenge: `Bearer error="insufficient_scope", error_description="The request needs the scope ${SCOPE}", scope="${SCOPE}"`,
    },
  },
  {
    name: 'KMS unavailable at first use',
    makeToken: (jwt) => jwt.sign(CLAIMS),
    faultOfKms: { kind: 'drop', operation: 'GetPublicKey' },
    refusal: { statusCode: 503, message: 'Service Unavailable', errorCode: 'kms_unavailable' },
  },
  {
    name: 'revoked',
    makeToken: (jwt) => jwt.sign({ ...CLAIMS, jti: REVOKED_ID }),
    refusal: invalid('token_revoked', 'The token has been revoked'),
  },
  {
    name: "key disabled, with verification: 'kms'",
    makeToken: (jwt) => jwt.sign(CLAIMS),
    options: { verification: 'kms' },
    faultOfKms: { kind: 'error', name: 'DisabledException', operation: 'Verify' },
    refusal: invalid('token_key_disabled', 'The key of the token is disabled or pending deletion'),
  },
];

import type { KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import type { LocalKmsFault } from 'nestjs-kms-jwt/local';
import { part } from '../support/forge.js';
import { REVOKED_ID, SCOPE } from './app-under-test.js';

/** The content of a refusal, independent of the transport. */
export interface Refusal {
  statusCode: 400 | 401 | 403 | 503;
  message: string;
  errorCode: string;
  /** The `WWW-Authenticate` header, which only HTTP has. */
  challenge?: string;
}

export interface Case {
  name: string;
  /** @returns the token of the call, or undefined for a call without a token */
  makeToken: (jwt: KmsJwtService) => Promise<string | undefined>;
  /** The fault of KMS during the call. */
  kmsFault?: LocalKmsFault;
  /** Module options in addition to those of the family. */
  options?: Partial<KmsJwtModuleOptions>;
  /** Undefined if the client is admitted. */
  refusal?: Refusal;
}

// No value may differ between runs, because docs/refusals.md contains the answers.
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
    kmsFault: { kind: 'drop', operation: 'GetPublicKey' },
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
    kmsFault: { kind: 'error', name: 'DisabledException', operation: 'Verify' },
    refusal: invalid('token_key_disabled', 'The key of the token is disabled or pending deletion'),
  },
];

import type { DynamicModule } from '@nestjs/common';
import { type JwtClaims, KmsJwtModule, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import type { LocalKms } from 'nestjs-kms-jwt/local';
import type { Refusal } from './cases.js';

/** An app on one transport, and a client for it. */
export interface Endpoint {
  /** Such as `Express` or `socket.io, token in a cookie`. */
  name: string;
  start(kmsJwt: DynamicModule): Promise<RunningEndpoint>;
}

/** A listening app and its client. */
export interface RunningEndpoint {
  /** @returns all that the client received, except what every response of the transport has, such as the date */
  call(token?: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Endpoints whose clients receive the same responses. */
export interface EndpointFamily {
  name: string;
  /** An explanation for docs/refusals.md. */
  about?: string;
  endpoints: Endpoint[];
  /** What a client with a valid token receives. */
  admitted(answer: Answer): unknown;
  /** What a client with any other token receives. */
  refused(refusal: Refusal): unknown;
  options?: Partial<KmsJwtModuleOptions>;
  /** True if the token is verified before a scope is required. */
  ignoresScopes?: boolean;
}

/** What every handler returns: the claims that it received. */
export interface Answer {
  sub: string;
  audience: string;
  scope: string;
}

/** @param sub the value of `@Claims('sub')`; the other claims are those of `@Claims()` */
export function answerTo({ aud, scope }: JwtClaims, sub: string): Answer {
  return { sub, audience: String(aud), scope: typeof scope === 'string' ? scope : '' };
}

export const SCOPE = 'orders:read';
export const REVOKED_ID = 'id-of-a-stolen-token';

export function kmsJwtOver(localKms: LocalKms, options?: Partial<KmsJwtModuleOptions>): DynamicModule {
  return KmsJwtModule.forRoot({
    keyId: 'alias/auth',
    client: localKms.client({ maxAttempts: 1 }),
    lazy: true,
    verifyOptions: { audience: 'orders' },
    isRevoked: ({ jti }) => jti === REVOKED_ID,
    ...options,
  });
}

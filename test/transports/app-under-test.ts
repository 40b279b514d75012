import type { DynamicModule } from '@nestjs/common';
import { type JwtClaims, KmsJwtModule, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import type { LocalKms } from 'nestjs-kms-jwt/local';
import type { Refusal } from './cases.js';

/** An app that listens on one transport, and a client of the matching kind. */
export interface Endpoint {
  /** Such as `Express` or `socket.io, token in a cookie`. */
  name: string;
  start(kmsJwt: DynamicModule): Promise<RunningEndpoint>;
}

/** An app that listens, and its client. */
export interface RunningEndpoint {
  /** @returns all that the client received, but what no transport can leave out, such as the date */
  call(token?: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Endpoints whose clients receive the same. */
export interface EndpointFamily {
  name: string;
  /** For the document: what its reader would ask. */
  about?: string;
  endpoints: Endpoint[];
  /** What the client of a valid token receives. */
  admitted(answer: Answer): unknown;
  /** What the client of any other receives. */
  refused(refusal: Refusal): unknown;
  options?: Partial<KmsJwtModuleOptions>;
  /** Where the token is looked at before anybody asks for a scope. */
  asksNoScope?: boolean;
}

/** What every handler says of the claims that it got. */
export interface Answer {
  sub: string;
  audience: string;
  scope: string;
}

/** @param sub by `@Claims('sub')`, all others by `@Claims()` */
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

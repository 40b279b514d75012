import type { ExecutionContext } from '@nestjs/common';
import { type KmsJwtError, KmsJwtOptionsError } from '../errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { type HttpResponse, refuseHttp } from './http-refusal.js';
import type { TokenCarrier } from './token-extractors.js';

/** What the guard has to know of one way into an app. */
export interface Transport {
  /** What the token is read from, and what the claims are kept on. */
  carrierOf(context: ExecutionContext): TokenCarrier & { user?: unknown };
  /** The error in the form that this transport passes on to its client. */
  refuse(error: KmsJwtError, context: ExecutionContext): Error;
}

const http: Transport = {
  carrierOf: (context) => context.switchToHttp().getRequest<TokenCarrier>(),
  refuse: (error, context) => refuseHttp(error, context.switchToHttp().getResponse<HttpResponse>()),
};

const TRANSPORTS: ReadonlyMap<string, Transport> = new Map([['http', http]]);

/** @throws KmsJwtOptionsError for a transport that the guard does not know: it lets nothing pass that it cannot read */
export function transportOf(context: ExecutionContext): Transport {
  const transport = TRANSPORTS.get(context.getType());
  if (!transport) {
    const known = [...TRANSPORTS.keys()].join(', ');
    throw new KmsJwtOptionsError(
      'KmsJwtGuard',
      `does not know the transport ${context.getType()}: known are ${known}`,
    );
  }
  return transport;
}

// Apart from `user`, which other libraries set too, so that @Claims() gives what the guard verified and nothing else.
const CLAIMS = Symbol.for('nestjs-kms-jwt:claims');

export function keepClaims(context: ExecutionContext, claims: JwtClaims): void {
  const carrier = transportOf(context).carrierOf(context);
  carrier.user = claims;
  Object.defineProperty(carrier, CLAIMS, { value: claims, configurable: true });
}

export function keptClaims(context: ExecutionContext): JwtClaims | undefined {
  return Reflect.get(transportOf(context).carrierOf(context), CLAIMS) as JwtClaims | undefined;
}

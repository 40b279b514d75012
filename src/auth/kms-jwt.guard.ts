import { type CanActivate, type ExecutionContext, Inject, Injectable, type Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { InsufficientScopeError, KmsJwtError, TokenMissingError } from '../errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import type { RouteVerifyOptions, TokenCarrier } from '../kms-jwt.options.js';
import type { KmsJwtService } from '../kms-jwt.service.js';
import { InjectKmsJwt } from '../kms-jwt.tokens.js';
import { type Access, ACCESS, SCOPES, VERIFY_OPTIONS } from './decorators.js';
import { keepClaims } from './kept-claims.js';
import { extractToken, fromAuthHeader } from './token-extractors.js';
import { transportOf } from './transports/index.js';
import { disconnect, handshakeCarriers, keepHandshake } from './transports/websocket.js';

/**
 * Lets a call pass that carries a valid token, and keeps its claims for `@Claims()` and at `request.user`. It guards HTTP
 * routes, GraphQL resolvers, WebSocket messages and microservice handlers, and refuses each in the form that its
 * transport passes on. On HTTP: 401 with the challenge of RFC 6750 for a token that is missing or bad, 403 for missing
 * scopes, 400 for two tokens, 503 with Retry-After while KMS cannot be asked.
 *
 * @example
 * \@UseGuards(KmsJwtGuard) \@Get('me') me(\@Claims() claims: JwtClaims) { return claims; }
 *
 * @example
 * providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }]
 */
@Injectable()
export class KmsJwtGuard implements CanActivate {
  constructor(
    @InjectKmsJwt() protected readonly jwt: KmsJwtService,
    @Inject(Reflector) protected readonly reflector: Reflector,
  ) {}

  /**
   * A guard of the same kind, for the instance of that name.
   *
   * @example
   * \@UseGuards(KmsJwtGuard.named('internal'))
   */
  static named(name: string): Type<KmsJwtGuard> {
    @Injectable()
    class NamedKmsJwtGuard extends KmsJwtGuard {
      constructor(@InjectKmsJwt(name) jwt: KmsJwtService, @Inject(Reflector) reflector: Reflector) {
        super(jwt, reflector);
      }
    }
    return NamedKmsJwtGuard;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.accessOf(context);
    if (access === 'public') return true;
    try {
      const scopes = this.read<string[]>(SCOPES, context) ?? [];
      const token = this.getToken(context);
      if (!token && access === 'optional' && scopes.length === 0) return true;
      if (!token) throw new TokenMissingError();

      const claims = await this.authenticate(token, context);
      checkScopes(claims, scopes);
      keepClaims(context, claims, this.jwt.guardSettings.property);
      return true;
    } catch (error) {
      throw error instanceof KmsJwtError ? await this.handleError(error, context) : error;
    }
  }

  /**
   * For the `handleConnection` of a gateway: verifies the token of the handshake, and disconnects a client that has no
   * good one, after an event `exception` that says why. Sockets of `ws` need it for the guard on their messages too, as
   * they forget the request that they came with.
   *
   * @param client as the gateway got it
   * @param request the second argument of `handleConnection`, where there is one (`ws`)
   * @returns the claims, or undefined where the client was disconnected
   *
   * @example
   * constructor(private readonly guard: KmsJwtGuard) {}
   * async handleConnection(client: WebSocket, request: IncomingMessage) {
   *   const claims = await this.guard.acceptConnection(client, request);
   *   if (claims) this.join(claims.sub, client);
   * }
   */
  async acceptConnection(client: object, request?: TokenCarrier): Promise<JwtClaims | undefined> {
    if (request) keepHandshake(client, request);
    try {
      const token = this.extract(handshakeCarriers(client));
      if (!token) throw new TokenMissingError();
      return await this.jwt.verify(token);
    } catch (error) {
      if (!(error instanceof KmsJwtError)) throw error;
      disconnect(client, error);
      return undefined;
    }
  }

  /**
   * Finds the token of a call, by the module's `tokenFrom`.
   *
   * @throws TokenAmbiguousError for more than one
   *
   * @example
   * // Another place for one kind of client
   * protected override getToken(context: ExecutionContext) {
   *   return super.getToken(context) ?? tokenOfLegacyClient(context);
   * }
   */
  protected getToken(context: ExecutionContext): string | undefined {
    return this.extract(transportOf(context).carriersOf(context));
  }

  /**
   * Verifies the token, by the module's `verifyOptions` and the route's `@VerifyWith()`.
   *
   * @returns the claims, as `@Claims()` and `request.user` will have them
   * @throws KmsJwtError, which `handleError` is given
   *
   * @example
   * // The user instead of the claims
   * protected override async authenticate(token: string, context: ExecutionContext) {
   *   const claims = await super.authenticate(token, context);
   *   return { ...claims, user: await this.users.find(claims.sub) };
   * }
   */
  protected authenticate(token: string, context: ExecutionContext): Promise<JwtClaims> {
    return this.jwt.verify(token, this.read<RouteVerifyOptions>(VERIFY_OPTIONS, context));
  }

  /**
   * Makes of an error what is thrown.
   *
   * @returns an HttpException, WsException, RpcException or GraphQL error, as the transport passes on
   *
   * @example
   * // Counts what is refused
   * protected override handleError(error: KmsJwtError, context: ExecutionContext) {
   *   this.metrics.refused(error.code);
   *   return super.handleError(error, context);
   * }
   */
  protected handleError(error: KmsJwtError, context: ExecutionContext): Error | Promise<Error> {
    return transportOf(context).refuse(error, context);
  }

  /**
   * Of several KmsJwtGuards the one nearest to the handler decides, so that a route can take the tokens of another
   * instance than the app's. `@Public()` opens what a guard further away closes, never the guard beside it.
   */
  private accessOf(context: ExecutionContext): Access {
    const levels = [context.getHandler(), context.getClass()];
    const isThis = (guard: unknown) => guard === this.constructor || guard === this;
    const own = levels.findIndex((level) => guardsOn(level).some(isThis));
    const distance = own === -1 ? levels.length : own;
    if (levels.slice(0, distance).some((level) => guardsOn(level).some(isKmsJwtGuard))) return 'public';

    for (const [index, level] of levels.entries()) {
      const access = this.reflector.get<Access | undefined>(ACCESS, level);
      if (access === 'public' && index >= distance) return 'required';
      if (access) return access;
    }
    return 'required';
  }

  private extract(carriers: TokenCarrier[]): string | undefined {
    return extractToken(carriers, this.jwt.guardSettings.tokenFrom ?? DEFAULT_EXTRACTORS);
  }

  // The method wins over its class.
  private read<Value>(key: string, context: ExecutionContext): Value | undefined {
    return this.reflector.getAllAndOverride<Value | undefined>(key, [
      context.getHandler(),
      context.getClass(),
    ]);
  }
}

// Where Nest keeps what @UseGuards() was given.
const USE_GUARDS = '__guards__';

function guardsOn(level: object): unknown[] {
  return (Reflect.getMetadata(USE_GUARDS, level) as unknown[] | undefined) ?? [];
}

function isKmsJwtGuard(guard: unknown): boolean {
  const prototype: unknown = typeof guard === 'function' ? guard.prototype : guard;
  return prototype instanceof KmsJwtGuard || prototype === KmsJwtGuard.prototype;
}

const DEFAULT_EXTRACTORS = [fromAuthHeader()];

function checkScopes(claims: JwtClaims, needed: readonly string[]): void {
  if (needed.length === 0) return;
  const held = new Set([claims['scope'], claims['scp']].flatMap(scopesIn));
  if (!needed.every((scope) => held.has(scope))) throw new InsufficientScopeError(needed);
}

function scopesIn(claim: unknown): unknown[] {
  return typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
}

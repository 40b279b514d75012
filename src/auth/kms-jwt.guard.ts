import { type CanActivate, type ExecutionContext, Inject, Injectable, type Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  InsufficientScopeError,
  KmsJwtError,
  KmsJwtOptionsError,
  TokenMissingError,
} from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import type { RouteVerifyOptions, TokenCarrier } from '../options/kms-jwt.options.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';
import { DEFAULT_NAME, InjectKmsJwt } from '../service/inject-kms-jwt.js';
import { type Access, ACCESS, SCOPES, VERIFY_OPTIONS } from './decorators.js';
import { forgetClaims, keepClaims } from './request-claims.js';
import { extractToken, fromAuthHeader } from './token-extractors.js';
import { transportOf } from './transports/index.js';
import { connectionContext, disconnect, keepHandshake } from './transports/websocket.js';

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
  /** @internal The name of the instance whose tokens it takes. */
  static readonly instanceName: string = DEFAULT_NAME;

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
      static override readonly instanceName = name;

      constructor(@InjectKmsJwt(name) jwt: KmsJwtService, @Inject(Reflector) reflector: Reflector) {
        super(jwt, reflector);
      }
    }
    return NamedKmsJwtGuard;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { property } = this.jwt.guardSettings;
    if (this.stepsAside(context) || this.hasPassed(context)) return true;
    try {
      const claims = await this.claimsOf(context);
      if (claims) keepClaims(context, claims, property);
      else forgetClaims(context, property);
      this.markPassed(context);
      return true;
    } catch (error) {
      const transport = transportOf(context);
      forgetClaims(context, property);
      const thrown = await this.thrownFor(error, context);
      throw transport.deliver ? await transport.deliver(thrown, context) : thrown;
    }
  }

  /**
   * For the `handleConnection` of a gateway: verifies the token of the handshake, and disconnects a client that has no
   * good one, after an event `exception` that says why. Sockets of `ws` need it for the guard on their messages too, as
   * they forget the request that they came with.
   *
   * @param client as the gateway got it
   * @param request the second argument of `handleConnection`, where there is one (`ws`); else undefined
   * @param gateway itself, where the decorators of its class and of its `handleConnection` are to count
   * @returns the claims, or undefined where the client was disconnected, or came without a token where the gateway's
   * decorators allow that. It never rejects: nobody would be there to handle it
   *
   * @example
   * constructor(private readonly guard: KmsJwtGuard) {}
   * async handleConnection(client: WebSocket, request: IncomingMessage) {
   *   const claims = await this.guard.acceptConnection(client, request, this);
   *   if (claims) this.join(claims.sub, client);
   * }
   */
  async acceptConnection(
    client: object,
    request?: TokenCarrier,
    gateway?: object,
  ): Promise<JwtClaims | undefined> {
    if (request) keepHandshake(client, request);
    const context = connectionContext(client, gateway);
    try {
      return await this.claimsOf(context);
    } catch (error) {
      const known =
        error instanceof KmsJwtError
          ? error
          : new KmsJwtOptionsError('KmsJwtGuard', 'failed', { cause: error });
      await this.thrownFor(known, context);
      disconnect(client, known);
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
   * // The user beside the claims
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

  /** The claims of a call; undefined where it passes without. */
  private async claimsOf(context: ExecutionContext): Promise<JwtClaims | undefined> {
    const access = this.accessOf(context);
    if (access === 'public') return undefined;
    const scopes = this.read<string[]>(SCOPES, context) ?? [];
    const token = this.getToken(context);
    if (!token && access === 'optional' && scopes.length === 0) return undefined;
    if (!token) throw new TokenMissingError();

    const claims = await this.authenticate(token, context);
    // Of the token itself: a schema may have left them out.
    if (scopes.length > 0) checkScopes(this.jwt.decode(token), scopes);
    return claims;
  }

  /** What an overridden `handleError` throws counts as what it returns. */
  private async thrownFor(error: unknown, context: ExecutionContext): Promise<unknown> {
    try {
      return error instanceof KmsJwtError ? await this.handleError(error, context) : error;
    } catch (thrown) {
      return thrown;
    }
  }

  /** For a guard of another instance that stands nearer to the handler. */
  private stepsAside(context: ExecutionContext): boolean {
    const nearer = levelsOf(context).slice(0, this.distanceIn(context)).flatMap(guardsOn);
    return nearer.some((guard) => isOfAnotherInstance(guard, this));
  }

  /** How many levels stand between the handler and this guard. */
  private distanceIn(context: ExecutionContext): number {
    const levels = levelsOf(context);
    const own = levels.findIndex((level) =>
      guardsOn(level).some((guard) => guard === this.constructor || guard === this),
    );
    return own === -1 ? levels.length : own;
  }

  /** Whether the same guard, on another level, let this call pass already. */
  private hasPassed(context: ExecutionContext): boolean {
    return passed.get(context)?.has(this.kindIn(context)) ?? false;
  }

  private markPassed(context: ExecutionContext): void {
    passed.set(context, (passed.get(context) ?? new Set()).add(this.kindIn(context)));
  }

  // Nest makes several guards of one class; those that the app made may each ask for something else.
  private kindIn(context: ExecutionContext): object {
    const guards = new Set(levelsOf(context).flatMap(guardsOn));
    return guards.has(this.constructor) && !guards.has(this) ? this.constructor : this;
  }

  /** What opens a route counts only where it stands nearer than the guard, and nothing nearer asks for more of a token. */
  private accessOf(context: ExecutionContext): Access {
    const levels = levelsOf(context);
    const distance = this.distanceIn(context);
    const index = levels.findIndex((level) => this.reflector.get<Access | undefined>(ACCESS, level));
    const access = index === -1 ? 'required' : this.reflector.get<Access>(ACCESS, levels[index] as never);
    const asksForMore = levels
      .slice(0, index + 1)
      .some((level) => hasMetadata(level, SCOPES, VERIFY_OPTIONS));
    if (access === 'public') return index < distance && !asksForMore ? 'public' : 'required';
    return access === 'optional' && index <= distance ? 'optional' : 'required';
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

/** Nest asks all guards of a call with one context. */
const passed = new WeakMap<ExecutionContext, Set<object>>();

function levelsOf(context: ExecutionContext) {
  return [context.getHandler(), context.getClass()];
}

// Where Nest keeps what @UseGuards() was given.
const USE_GUARDS = '__guards__';

function guardsOn(level: object): unknown[] {
  return (Reflect.getMetadata(USE_GUARDS, level) as unknown[] | undefined) ?? [];
}

function isOfAnotherInstance(guard: unknown, than: KmsJwtGuard): boolean {
  const kind: unknown = typeof guard === 'function' ? guard : guard?.constructor;
  return isGuardClass(kind) && kind.instanceName !== (than.constructor as typeof KmsJwtGuard).instanceName;
}

function isGuardClass(kind: unknown): kind is typeof KmsJwtGuard {
  return typeof kind === 'function' && (kind === KmsJwtGuard || kind.prototype instanceof KmsJwtGuard);
}

function hasMetadata(level: object, ...keys: string[]): boolean {
  return keys.some((key) => Reflect.hasMetadata(key, level));
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

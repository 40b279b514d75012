import { type CanActivate, type ExecutionContext, Inject, Injectable, type Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { KmsJwtError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { DEFAULT_NAME, InjectKmsJwt } from '../service/inject-kms-jwt.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';
import { hasAllowed, levelsOf, rememberAllowed } from './access.js';
import { bindCall } from './call.js';
import { checkService } from './check-service.js';
import { reportRefusal } from './refusal.js';
import { acceptConnection, renewConnection } from './guard-connections.js';
import { recordNoClaims } from './request-claims.js';
import { Routes } from './routes.js';
import { scopesInClaims } from './scopes.js';
import { TokensOfCalls } from './tokens-of-calls.js';
import { referenceContext, type ReferenceOptions } from './transports/graphql-reference.js';
import { transportOf } from './transports/index.js';
import type { ConnectionOptions } from './transports/transport.js';
import { configuredToken, recordVerified, tokenOf, verifyCall } from './verify-call.js';

/**
 * Allows a call with a valid token, and records its claims for `@Claims()`, `claimsOf(context)` and `request.user`. It
 * guards HTTP routes, GraphQL resolvers, WebSocket messages and microservice handlers, and refuses each in the error format
 * of its transport. On HTTP: 401 with the challenge of RFC 6750 for a token that is missing or invalid, 403 for missing
 * scopes, 400 for two tokens, 503 with `Retry-After` while KMS is unavailable.
 *
 * @example
 * ```ts
 * @Controller()
 * @UseGuards(KmsJwtGuard)
 * export class ProfileController {
 *   @Get('me')
 *   me(@Claims() claims: JwtClaims) {
 *     return claims;
 *   }
 * }
 * ```
 *
 * @example
 * ```ts
 * @Module({ providers: [{ provide: APP_GUARD, useExisting: KmsJwtGuard }] })
 * export class AppModule {}
 * ```
 */
@Injectable()
export class KmsJwtGuard implements CanActivate {
  /** @internal The name of the registration whose tokens it accepts: see `REGISTRATION` in access.ts. */
  static readonly kmsJwtRegistration: string = DEFAULT_NAME;

  private readonly routes = new Routes(this);
  private readonly tokens = new TokensOfCalls();

  /** Called by Nest, and by the constructor of a class that extends this one. */
  constructor(
    /** The service of the registration. */
    @InjectKmsJwt() protected readonly jwt: KmsJwtService,
    /** Nest's `Reflector`, for the guards that extend this one. */
    @Inject(Reflector) protected readonly reflector: Reflector,
  ) {}

  /**
   * The class of the guard for the registration with that name.
   *
   * @example
   * ```ts
   * @Controller('internal')
   * @UseGuards(KmsJwtGuard.named('internal'))
   * export class InternalController {}
   * ```
   */
  static named(name: string): Type<KmsJwtGuard> {
    @Injectable()
    class NamedKmsJwtGuard extends KmsJwtGuard {
      static override readonly kmsJwtRegistration = name;

      constructor(@InjectKmsJwt(name) jwt: KmsJwtService, @Inject(Reflector) reflector: Reflector) {
        super(jwt, reflector);
      }
    }
    return NamedKmsJwtGuard;
  }

  /** Allows the call, or throws the exception of its transport. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    checkService(this.jwt);
    const call = bindCall(context, this.routes);
    const { access, guard } = call.route;
    // The same guard may stand on several levels.
    if (access === 'elsewhere' || hasAllowed(guard, context)) return true;

    try {
      const token = tokenOf(this, call, access);
      if (token !== undefined) recordVerified(this, call, await verifyCall(this, token, call));
      else if (access === 'optional') recordNoClaims(call.transport, context);
    } catch (error) {
      const thrown = await this.refuse(error, context);
      throw call.transport.deliver ? await call.transport.deliver(thrown, context) : thrown;
    }
    rememberAllowed(guard, context);
    return true;
  }

  /**
   * For the `handleConnection` of a gateway: verifies the token of the handshake, and disconnects a client without a valid one,
   * after an event `exception` with the reason. If `acceptConnection` is called before anything is awaited, the client's messages
   * are held back until the token is verified. The guard also needs this call for the messages of sockets of `ws`.
   *
   * The gateway must be a singleton: for a request-scoped one, Nest delivers the first messages before it calls
   * `handleConnection`. A client whose token is not verified within five times `limits.timeout` is refused.
   *
   * @param client as the gateway received it
   * @param parts the request, for sockets of `ws`, and the gateway whose decorators count
   * @returns the claims, or undefined when the client was disconnected, or came without a token and the gateway's
   * decorators allow that. It never rejects: nothing would handle the rejection
   *
   * @example
   * ```ts
   * @WebSocketGateway()
   * export class OrdersGateway implements OnGatewayConnection {
   *   constructor(private readonly guard: KmsJwtGuard) {}
   *
   *   async handleConnection(client: WebSocket, request: IncomingMessage) {
   *     const claims = await this.guard.acceptConnection(client, { request, gateway: this });
   *     if (claims) this.join(claims.sub, client);
   *   }
   * }
   * ```
   */
  acceptConnection(client: object, parts: ConnectionOptions = {}): Promise<JwtClaims | undefined> {
    return acceptConnection(this, client, parts);
  }

  /**
   * Replaces the token of a connection that `acceptConnection` accepted, before it expires. The messages that follow have
   * the new claims. After an error the connection keeps its old token.
   *
   * @param client as the gateway received it
   * @param token of the same issuer and subject (`iss` and `sub`) as the one before
   * @throws TokenError when the token is invalid, of another issuer or subject, or without a subject; also the other errors of `verify`
   * @throws InsufficientScopeError when it lacks a scope that the gateway requires
   * @throws KmsJwtOptionsError for a connection that was not accepted, or is closed
   *
   * @example
   * ```ts
   * @WebSocketGateway()
   * export class OrdersGateway {
   *   constructor(private readonly guard: KmsJwtGuard) {}
   *
   *   @SubscribeMessage('renew')
   *   async renew(@ConnectedSocket() client: object, @MessageBody() token: string) {
   *     await this.guard.renewConnection(client, token);
   *   }
   * }
   * ```
   */
  renewConnection(client: object, token: string): Promise<JwtClaims> {
    return renewConnection(this, client, token);
  }

  /**
   * For the body of a `@ResolveReference()`, for which Nest runs no guard: verifies the token of the request as the guard
   * does, and records its claims for the fields of the entity. `@Public()` and `@OptionalAuth()` do not count.
   *
   * @param context the second argument of a `__resolveReference`: the context of the operation
   * @param info the third argument
   * @param options the resolver whose decorators count
   * @throws what the guard throws: an error with the code in its `extensions`
   *
   * @example
   * ```ts
   * @Resolver('User')
   * export class UsersResolver {
   *   constructor(private readonly guard: KmsJwtGuard, private readonly users: UsersService) {}
   *
   *   @ResolveReference()
   *   async resolveReference(reference: { id: string }, context: object, info: GraphQLResolveInfo) {
   *     const { sub } = await this.guard.verifyReference(context, info);
   *     return this.users.findVisibleTo(sub, reference.id);
   *   }
   * }
   * ```
   */
  async verifyReference(context: object, info: object, options: ReferenceOptions = {}): Promise<JwtClaims> {
    checkService(this.jwt);
    const host = referenceContext(context, info, options.resolver);
    try {
      const call = bindCall(host, this.routes);
      const verified = await verifyCall(this, tokenOf(this, call, 'required') as string, call);
      recordVerified(this, call, verified);
      return verified.claims;
    } catch (error) {
      throw await this.refuse(error, host);
    }
  }

  /**
   * Finds the token of a call, by the module's `guard.tokenFrom`.
   *
   * @throws TokenAmbiguousError for more than one
   * @throws OriginNotAllowedError, KmsJwtOptionsError for a token in a cookie of a handshake: see `guard.allowedOrigins`
   *
   * @example
   * ```ts
   * // Another place for one kind of client
   * export class AppGuard extends KmsJwtGuard {
   *   protected override getToken(context: ExecutionContext) {
   *     return super.getToken(context) ?? tokenOfLegacyClient(context);
   *   }
   * }
   * ```
   */
  protected getToken(context: ExecutionContext): string | undefined {
    return configuredToken(this, context);
  }

  /**
   * Verifies the token, by the module's `verifyOptions` and the route's `@VerifyWith()`.
   *
   * @returns the claims for `@Claims()` and `request.user`, a plain object; null, undefined or false refuses the token with a
   * `TokenRejectedError`, any other value refuses the call with a `KmsJwtOptionsError`
   * @throws KmsJwtError, which is passed to `handleError`
   *
   * @example
   * ```ts
   * // The user beside the claims
   * export class AppGuard extends KmsJwtGuard {
   *   @Inject(UsersService) private readonly users!: UsersService;
   *
   *   protected override async authenticate(token: string, context: ExecutionContext) {
   *     const claims = await super.authenticate(token, context);
   *     return { ...claims, user: await this.users.find(claims.sub) };
   *   }
   * }
   * ```
   */
  protected async authenticate(token: string, context: ExecutionContext): Promise<JwtClaims> {
    const { options } = this.routes.of(levelsOf(context));
    const verified = await this.jwt.verifyToken(token, options);
    this.tokens.add(context, token, verified);
    return verified.claims as JwtClaims;
  }

  /**
   * Finds the scopes of a token, for a call with `@Scopes()`: in the claims `scope` and `scp`. It is not called for a token of
   * an issuer that has the function `scopes` in the module's `issuers`.
   *
   * @param verified the payload of the token, before the `schema`; the return value of an overridden `authenticate` if that
   * accepted the token by itself, such as an API key, or has set another `scope` or `scp`
   * @returns an array of scopes; anything else refuses the call with a `KmsJwtOptionsError`
   *
   * @example
   * ```ts
   * export class AppGuard extends KmsJwtGuard {
   *   protected override async scopesOf(verified: JwtClaims) {
   *     return PERMISSIONS.get(verified['role']) ?? [];
   *   }
   * }
   * ```
   */
  protected async scopesOf(verified: JwtClaims, _context: ExecutionContext): Promise<readonly unknown[]> {
    return scopesInClaims(verified);
  }

  /**
   * Converts an error to the exception to throw.
   *
   * @returns an HttpException, WsException, RpcException or GraphQL error, depending on the transport
   *
   * @example
   * ```ts
   * export class AppGuard extends KmsJwtGuard {
   *   @Inject(Metrics) private readonly metrics!: Metrics;
   *
   *   protected override handleError(error: KmsJwtError, context: ExecutionContext) {
   *     this.metrics.refused(error.code);
   *     return super.handleError(error, context);
   *   }
   * }
   * ```
   */
  protected handleError(error: KmsJwtError, context: ExecutionContext): Error | Promise<Error> {
    return transportOf(context).refuse(error, context);
  }

  /** Reports a refusal, and returns what to throw; what an overridden `handleError` throws counts as returned. */
  private async refuse(error: unknown, context: ExecutionContext): Promise<unknown> {
    if (!(error instanceof KmsJwtError)) return error;
    reportRefusal(error, this.jwt.log);
    try {
      return await this.handleError(error, context);
    } catch (thrown) {
      return thrown;
    }
  }

  private get registration(): string {
    return (this.constructor as typeof KmsJwtGuard).kmsJwtRegistration;
  }
}

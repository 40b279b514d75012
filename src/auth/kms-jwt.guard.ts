import { type CanActivate, type ExecutionContext, Inject, Injectable, type Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { withDeadline } from '../async/deadline.js';
import { AuthenticationTimeoutError, KmsJwtError, TokenMissingError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { DEFAULT_NAME, InjectKmsJwt } from '../service/inject-kms-jwt.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';
import {
  type Access,
  accessFor,
  hasAllowed,
  levelsOf,
  rememberAllowed,
  scopesOf,
  verifyOptionsOf,
} from './access.js';
import { bindCall, type Call } from './call.js';
import { findToken } from './find-token.js';
import { reportRefusal } from './refusal.js';
import { renewedToken, renewWatch, watchCall, watchConnection } from './open-connections.js';
import { ownerOf, placeOnRequest, recordClaims, recordNoClaims } from './request-claims.js';
import { checkScopes } from './scopes.js';
import { referenceContext, type ReferenceOptions } from './transports/graphql-reference.js';
import { CONNECTIONS, transportOf } from './transports/index.js';
import type { ConnectionOptions } from './transports/transport.js';
import { checkAuthenticated, checkSameSubject, type Verified } from './verified-token.js';

/**
 * Allows a call with a valid token, and records its claims for `@Claims()`, `claimsOf(context)` and `request.user`. It
 * guards HTTP routes, GraphQL resolvers, WebSocket messages and microservice handlers, and refuses each in the form of
 * its transport. On HTTP: 401 with the challenge of RFC 6750 for a token that is missing or bad, 403 for missing
 * scopes, 400 for two tokens, 503 with Retry-After while KMS is unavailable.
 *
 * @example
 * \@UseGuards(KmsJwtGuard) \@Get('me') me(\@Claims() claims: JwtClaims) { return claims; }
 *
 * @example
 * providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }]
 */
@Injectable()
export class KmsJwtGuard implements CanActivate {
  /** @internal The name of the instance whose tokens it takes: see `INSTANCE` in access.ts. */
  static readonly kmsJwtInstance: string = DEFAULT_NAME;

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
      static override readonly kmsJwtInstance = name;

      constructor(@InjectKmsJwt(name) jwt: KmsJwtService, @Inject(Reflector) reflector: Reflector) {
        super(jwt, reflector);
      }
    }
    return NamedKmsJwtGuard;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const call = bindCall(context);
    const { transport, levels } = call;
    const access = accessFor(this, levels);
    // The same guard may stand on several levels.
    if (access === 'elsewhere' || hasAllowed(this, context)) return true;

    try {
      const verified = await this.verify(call, access);
      if (verified) this.record(call, verified);
      else if (access === 'optional') recordNoClaims(transport, context);
    } catch (error) {
      const thrown = await this.refuse(error, context);
      throw transport.deliver ? await transport.deliver(thrown, context) : thrown;
    }
    rememberAllowed(this, context);
    return true;
  }

  /**
   * For the `handleConnection` of a gateway: verifies the token of the handshake, and disconnects a client without a
   * valid one, after an event `exception` with the reason. Until then the client's messages are held back, if it is called
   * synchronously: before anything is awaited. Sockets of `ws` need it for the guard on their messages too.
   *
   * The gateway must be a singleton: for a request-scoped one Nest delivers the first messages before it calls
   * `handleConnection`. The client is refused after five times `limits.timeout`.
   *
   * @param client as the gateway received it
   * @returns the claims, or undefined when the client was disconnected, or came without a token and the gateway's
   * decorators allow that. It never rejects: nothing would handle the rejection
   *
   * @example
   * constructor(private readonly guard: KmsJwtGuard) {}
   * async handleConnection(client: WebSocket, request: IncomingMessage) {
   *   const claims = await this.guard.acceptConnection(client, { request, gateway: this });
   *   if (claims) this.join(claims.sub, client);
   * }
   */
  async acceptConnection(client: object, parts: ConnectionOptions = {}): Promise<JwtClaims | undefined> {
    const context = CONNECTIONS.open(client, parts, this.instance);
    try {
      const verified = await this.verifyHandshake(context);
      const options = verifyOptionsOf(levelsOf(context));
      if (verified) watchConnection(CONNECTIONS.connectionOf(client), verified, options);
      CONNECTIONS.accept(client);
      return verified?.claims;
    } catch (error) {
      // Another gateway of the server may have refused the client, and reported it.
      if (!CONNECTIONS.refuse(error, client)) return undefined;
      // Nest logs what a guard throws, but nothing sees what happens here.
      if (!(error instanceof KmsJwtError)) reportRefusal(error, this.jwt.log);
      await this.refuse(error, context);
      return undefined;
    }
  }

  /**
   * Replaces the token of a connection that `acceptConnection` accepted, before it expires. The messages that follow have
   * the new claims. After an error the connection keeps its old token.
   *
   * @param client as the gateway received it
   * @param token of the same issuer and subject (`iss` and `sub`) as the one before
   * @throws TokenError when the token is invalid, of another issuer or subject, or without a subject
   * @throws InsufficientScopeError as `acceptConnection` refuses it
   * @throws KmsJwtOptionsError for a connection that was not accepted, or is closed
   *
   * @example
   * \@SubscribeMessage('renew') async renew(\@ConnectedSocket() client: object, \@MessageBody() token: string) {
   *   await this.guard.renewConnection(client, token);
   * }
   */
  async renewConnection(client: object, token: string): Promise<JwtClaims> {
    const [call, ...others] = CONNECTIONS.contextsOf(client, this.instance).map(bindCall) as [
      Call,
      ...Call[],
    ];
    const renewed = await this.verifyToken(token, call);
    for (const other of others) await this.verifyToken(token, other);
    const options = [call, ...others].map(({ levels }) => verifyOptionsOf(levels));
    renewWatch(CONNECTIONS.connectionOf(client), renewed, options, (current) =>
      checkSameSubject(this.jwt.decode(current), this.jwt.decode(token)),
    );
    return renewed.claims;
  }

  /**
   * For the body of a `@ResolveReference()`, for which Nest asks no guard: verifies the token of the request as the guard
   * does, and records its claims for the fields of the entity. `@Public()` and `@OptionalAuth()` do not count.
   *
   * @param context the second argument of a `__resolveReference`: the context of the operation
   * @param info its third argument
   * @throws what the guard throws: an error with the code in its `extensions`
   *
   * @example
   * \@ResolveReference()
   * async resolveReference(reference: { id: string }, context: object, info: GraphQLResolveInfo) {
   *   const { sub } = await this.guard.verifyReference(context, info);
   *   return this.users.findVisibleTo(sub, reference.id);
   * }
   */
  async verifyReference(context: object, info: object, options: ReferenceOptions = {}): Promise<JwtClaims> {
    const host = referenceContext(context, info, options.resolver);
    try {
      const call = bindCall(host);
      const verified = await this.verify(call, 'required');
      this.record(call, verified);
      return verified.claims;
    } catch (error) {
      throw await this.refuse(error, host);
    }
  }

  /**
   * Finds the token of a call, by the module's `guard.tokenFrom`.
   *
   * @throws TokenAmbiguousError for more than one
   * @throws OriginNotAllowedError for one in a cookie of a handshake from another origin
   *
   * @example
   * // Another place for one kind of client
   * protected override getToken(context: ExecutionContext) {
   *   return super.getToken(context) ?? tokenOfLegacyClient(context);
   * }
   */
  protected getToken(context: ExecutionContext): string | undefined {
    const transport = transportOf(context);
    const connection = transport.connectionOf?.(context);
    const found = findToken(transport, context, this.jwt.guardSettings);
    // Once the app has removed the token of the handshake, as at a logout, a renewed token does not count either.
    if (found === undefined || !connection?.hasCalls) return found;
    return renewedToken(connection, this.instance) ?? found;
  }

  /**
   * Verifies the token, by the module's `verifyOptions` and the route's `@VerifyWith()`.
   *
   * @returns the claims, as `@Claims()` and `request.user` will have them, a plain object; null, undefined or false
   * refuse the token with a `TokenRejectedError`, any other value is a mistake in the program
   * @throws KmsJwtError, which is passed to `handleError`
   *
   * @example
   * // The user beside the claims
   * protected override async authenticate(token: string, context: ExecutionContext) {
   *   const claims = await super.authenticate(token, context);
   *   return { ...claims, user: await this.users.find(claims.sub) };
   * }
   */
  protected authenticate(token: string, context: ExecutionContext): Promise<JwtClaims> {
    return this.jwt.verify(token, verifyOptionsOf(levelsOf(context)));
  }

  /**
   * Converts an error to the exception to throw.
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

  /** The token of a call and its claims; undefined when the call passes without. */
  private async verify(call: Call, access: 'required'): Promise<Verified>;
  private async verify(call: Call, access: Access): Promise<Verified | undefined>;
  private async verify(call: Call, access: Access): Promise<Verified | undefined> {
    if (access === 'public') return undefined;
    const token = this.getToken(call.context);
    if (token) return this.verifyToken(token, call);
    if (access === 'optional' && scopesOf(call.levels).length === 0) return undefined;
    throw new TokenMissingError();
  }

  /** `verify` for a WebSocket, whose client waits: an overridden `authenticate` may never settle. */
  private verifyHandshake(context: ExecutionContext): Promise<Verified | undefined> {
    const call = bindCall(context);
    const access = accessFor(this, call.levels);
    const limit = this.jwt.verdictTimeout;
    const late = () => new AuthenticationTimeoutError(`The token was not verified within ${limit} ms`);
    return withDeadline(() => this.verify(call, access === 'elsewhere' ? 'required' : access), limit, late);
  }

  private async verifyToken(token: string, { context, levels }: Call): Promise<Verified> {
    const claims = checkAuthenticated(await this.authenticate(token, context));
    const scopes = scopesOf(levels);
    // Those of the token itself: a schema may have left them out.
    if (scopes.length > 0) checkScopes(this.jwt.decode(token), scopes);
    return { token, claims, jwt: this.jwt, instance: this.instance };
  }

  private record({ context, transport, levels }: Call, verified: Verified): void {
    const { token, claims } = verified;
    recordClaims(transport, context, verified);

    const connection = transport.connectionOf?.(context);
    if (connection) {
      watchCall(connection, verified, {
        options: () => verifyOptionsOf(levels),
        handshakeToken: () => KmsJwtGuard.prototype.getToken.call(this, context),
      });
    }
    const { property } = this.jwt.guardSettings;
    placeOnRequest(transport.requestOf(context), property, claims, ownerOf(this.instance, claims, token));
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

  private get instance(): string {
    return (this.constructor as typeof KmsJwtGuard).kmsJwtInstance;
  }
}

import type { ArgumentsHost, ExecutionContext, HttpException } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';

/** Something that continues after a call was allowed: a connection, a subscription or a stream. */
export interface OpenConnection {
  /** Identifies it: calls of one connection share it. */
  readonly key: object;
  /** Whether further calls come over it, so that only the token that it was opened with can end it. */
  readonly hasCalls: boolean;
  /** Whether this call itself continues over it, as a subscription does: then its own options count, too. Default: false. */
  readonly callGoesOn?: boolean;
  /** Whether it is already closed: then `onClosed` never calls its listener. */
  readonly isClosed: boolean;
  /** Sends the reason to the client, and ends it. */
  end(error: KmsJwtError): void;
  onClosed(listener: () => void): void;
}

/** A transport, as the guard and the exception filter use it. */
export interface Transport {
  /** Where the token may be: a request, or the parts that make one up, such as a handshake and its parameters. */
  carriersOf(host: ArgumentsHost): TokenCarrier[];
  /** The header `Origin` of a handshake, which a page of any site may have caused; absent where there are none. */
  originOf?(host: ArgumentsHost): string | string[] | undefined;
  /** The object that has the property `user`. */
  requestOf(host: ArgumentsHost): object;
  /**
   * The objects that identify this call: its guards, interceptors and parameter decorators see them, and no other call
   * does.
   */
  callsToRecord(context: ExecutionContext): readonly object[];
  /**
   * The objects that this call shares with others, for parts that cannot tell these calls apart, such as the fields of an entity;
   * absent where there are none. If the calls have different tokens, reading the claims in these parts throws.
   */
  sharedCalls?(context: ExecutionContext): readonly object[];
  /** The same as `callsToRecord`, followed by the calls that this one is part of, the nearest first; empty if no guard ran. */
  callsToRead(context: ExecutionContext): Iterable<object>;
  /** The exception that this transport turns into an answer for its client. */
  refuse(error: KmsJwtError, host: ArgumentsHost): Error | Promise<Error>;
  /** The connection or stream of a call; undefined when nothing is left of the call once its handler has returned. */
  connectionOf?(context: ExecutionContext): OpenConnection | undefined;
  /** Sends an error that cannot be thrown, and then never settles; absent where every error can be thrown. */
  deliver?(thrown: unknown, context: ExecutionContext): Promise<unknown>;
  /**
   * Cuts off a response that has begun and is not complete; absent where an answer can always be sent.
   *
   * @returns whether the response has begun: then no answer can be sent
   */
  cutOff?(host: ArgumentsHost): boolean;
  /**
   * The answer of an exception filter.
   *
   * @param next Nest's own filter
   */
  respond(error: KmsJwtError, host: ArgumentsHost, next: (exception: HttpException) => unknown): unknown;
}

/** Options of `KmsJwtGuard.acceptConnection`. */
export interface ConnectionOptions {
  /** The second argument of `handleConnection`, required for sockets of `ws`, which do not keep their request. */
  request?: TokenCarrier;
  /** The gateway or its class, if the decorators of its class and of its `handleConnection` are to count. Default: they do not. */
  gateway?: object;
}

/** A connection that outlives a call, such as a WebSocket, as `acceptConnection` uses it. */
export interface ConnectionTransport {
  /**
   * Holds back the client's messages until `accept` or `refuse`.
   *
   * @param registration the name of the guard's registration
   * @returns the context of the gateway's `handleConnection`, as a guard would get it
   */
  open(client: object, options: ConnectionOptions, registration: string): ExecutionContext;
  /** Lets the messages pass. */
  accept(client: object): void;
  /**
   * Sends the reason to the client and closes the connection; its messages reach no handler.
   *
   * @returns false if it was already refused
   */
  refuse(error: unknown, client: object): boolean;
  /** The contexts that `open` returned, one for each gateway that accepts the client by that registration; never empty. */
  contextsOf(client: object, registration: string): [ExecutionContext, ...ExecutionContext[]];
  connectionOf(client: object): OpenConnection;
}

import type { Route } from './calls.js';
import { goodToken, pickToken, type Token, type User } from './tokens.js';
import { random } from './run.js';

/** The users of the app, and the services of the second instance. */
export interface Callers {
  users: readonly User[];
  services: readonly User[];
}

/** A transport under load: an app that listens, and clients that connect to it. */
export interface TransportUnderLoad {
  /** The names under which its calls are counted. */
  readonly names: readonly string[];
  /** Its share of the 20 connections of each user. */
  readonly connectionsPerUser: number;
  start(): Promise<RunningTransport>;
}

export interface RunningTransport {
  connect(user: User, callers: Callers): Promise<Connection>;
  close(): Promise<void>;
}

export interface Connection {
  readonly isOpen: boolean;
  /** Makes several concurrent calls, and waits until all are finished. */
  burst(): Promise<void>;
  close(): void | Promise<void>;
}

/** The tokens of one request: of a service and of a user. */
export interface RequestTokens {
  user: Token | undefined;
  internal: Token | undefined;
}

export function pickTokens(user: User, { services }: Callers): RequestTokens {
  return { user: pickToken(user), internal: pickToken(random.pick(services)) };
}

/** The tokens of a request that a route reads. */
export function tokensFor(route: Route, { user, internal }: RequestTokens): Token[] {
  const token = route === 'internal' ? internal : user;
  return token ? [token] : [];
}

export function headersOf({ user, internal }: RequestTokens): Record<string, string> {
  return {
    ...(user && { authorization: `Bearer ${user.value}` }),
    ...(internal && { 'x-internal': internal.value }),
  };
}

/** A token of a service, which must not end a connection. */
export function lastingTokens(user: Token | undefined, { services }: Callers): RequestTokens {
  return { user, internal: random.chance(0.8) ? goodToken(random.pick(services)) : undefined };
}

/** The codes by which the guard refuses a call; all others are unexpected. */
const REFUSALS = new Set(['token_missing', 'token_expired', 'token_revoked', 'insufficient_scope']);

export function isRefusal(errorCode: unknown): boolean {
  return typeof errorCode === 'string' && REFUSALS.has(errorCode);
}

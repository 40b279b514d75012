import type { Route } from './calls.js';
import { goodToken, pickToken, type Token, type User } from './tokens.js';
import { random } from './run.js';

/** The users of the app, and the services that the second instance knows. */
export interface Callers {
  users: readonly User[];
  services: readonly User[];
}

/** A transport under load: an app that listens, and clients that connect to it. */
export interface TransportUnderLoad {
  /** As its calls are counted. */
  readonly names: readonly string[];
  /** How many of the 20 connections of each user. */
  readonly connectionsPerUser: number;
  start(): Promise<RunningTransport>;
}

export interface RunningTransport {
  connect(user: User, callers: Callers): Promise<Connection>;
  close(): Promise<void>;
}

export interface Connection {
  readonly isOpen: boolean;
  /** Makes some calls at once, and waits until all of them are finished. */
  burst(): Promise<void>;
  close(): void | Promise<void>;
}

/** A service and a user, with the tokens of one request. */
export interface RequestTokens {
  user: Token | undefined;
  internal: Token | undefined;
}

export function pickTokens(user: User, { services }: Callers): RequestTokens {
  return { user: pickToken(user), internal: pickToken(random.pick(services)) };
}

/** Those of a request that a route looks at. */
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

/** Of a service that may end no connection. */
export function lastingTokens(user: Token | undefined, { services }: Callers): RequestTokens {
  return { user, internal: random.chance(0.8) ? goodToken(random.pick(services)) : undefined };
}

/** The codes by which the guard refuses a call; all others are unexpected. */
const REFUSALS = new Set(['token_missing', 'token_expired', 'token_revoked', 'insufficient_scope']);

export function isRefusal(errorCode: unknown): boolean {
  return typeof errorCode === 'string' && REFUSALS.has(errorCode);
}

import { type Token, validityOf, type Verdict } from './tokens.js';

/** The requirements of the handlers of every transport: a token, a scope, none, an optional token, one of the second instance. */
export const ROUTES = ['mine', 'scoped', 'open', 'optional', 'internal'] as const;
export type Route = (typeof ROUTES)[number];

/** The tokens of a connection, with which it may end. */
export interface Session {
  /** Two during a renewal; none for a connection without a token. */
  readonly tokens: readonly Token[];
  /** Whether a connection without a valid token is closed before its first message is handled. */
  readonly isChecked: boolean;
  readonly openedAt: number;
}

/** A call of one handler, as planned by its client. */
export interface PlannedCall {
  readonly transport: string;
  readonly route: Route;
  /** The tokens that may admit the call; none for a call without a token. */
  readonly tokens: readonly Token[];
  readonly session?: Session;
}

export interface Call extends PlannedCall {
  readonly id: string;
  readonly sentAt: number;
}

/** `refused`: without a token or a scope. `revoked` and `expiring`: refused from some time on. */
export const CALL_KINDS = ['allowed', 'refused', 'public', 'revoked', 'expiring'] as const;
export type CallKind = (typeof CALL_KINDS)[number];

export function kindOf({ route, tokens, session }: Call): CallKind {
  if (session?.isChecked && session.tokens.length === 0) return 'refused';
  const limited = (session?.isChecked && kindOfTokens(session.tokens)) || undefined;
  if (limited || route === 'open') return limited ?? 'public';
  if (tokens.length === 0) return route === 'optional' ? 'public' : 'refused';
  const isOutOfScope = route === 'scoped' && !tokens.some(({ hasScope }) => hasScope);
  return kindOfTokens(tokens) ?? (isOutOfScope ? 'refused' : 'allowed');
}

function kindOfTokens(tokens: readonly Token[]): 'revoked' | 'expiring' | undefined {
  const kinds = new Set(tokens.map(({ kind }) => kind));
  if (kinds.has('revoked') || kinds.has('revocable')) return 'revoked';
  return kinds.has('expiring') ? 'expiring' : undefined;
}

/** The tokens whose claims the handler must see; none if it must see no claims. */
export function tokensSeen({ route, tokens }: Call): readonly Token[] {
  return route === 'open' ? [] : tokens;
}

/** The required outcome of a call that is answered now. */
export function verdictOf(call: Call): Verdict {
  const verdicts = new Set([verdictOfSession(call.session), verdictOfRoute(call)]);
  if (verdicts.has('refused')) return 'refused';
  return verdicts.has('either') ? 'either' : 'admitted';
}

function verdictOfRoute({ route, tokens, sentAt }: Call): Verdict {
  if (route === 'open') return 'admitted';
  if (tokens.length === 0) return route === 'optional' ? 'admitted' : 'refused';
  return common(
    tokens.map((token) => (route === 'scoped' && !token.hasScope ? 'refused' : validityOf(token, sentAt))),
  );
}

/** An open connection ends some time after its token: until then its calls may be served or refused. */
export function verdictOfSession(session?: Session): Verdict {
  if (!session) return 'admitted';
  if (session.tokens.length === 0) return session.isChecked ? 'refused' : 'admitted';
  const verdict = common(session.tokens.map((token) => validityOf(token, session.openedAt)));
  return verdict === 'refused' && !session.isChecked ? 'either' : verdict;
}

function common(verdicts: Verdict[]): Verdict {
  const [first = 'either', ...others] = verdicts;
  return others.every((other) => other === first) ? first : 'either';
}

import {
  type Call,
  type PlannedCall,
  type Session,
  tokensSeen,
  verdictOf,
  verdictOfSession,
} from './calls.js';
import { type Outcome, Tally } from './tally.js';
import type { Token } from './tokens.js';

/** The claims by which a handler, guard, interceptor or client identifies a token. */
export interface SeenClaims {
  readonly sub?: string | null;
  readonly jti?: string | null;
}

/** The violations. */
export type Violation =
  | 'claims of another call'
  | 'admitted without claims'
  | 'claims without a token'
  | 'refused but served'
  | 'refused without a reason'
  | 'served without its handler'
  | 'another user on the request'
  | 'no user on the request'
  | 'connection ended without a reason'
  | 'unexpected answer';

/** Limits on the finished calls that are kept, for handlers that still run, and on the described violations of each type. */
const MAX_FINISHED = 20_000;
const MAX_DESCRIBED = 5;

/** Records every call: planned and finished by its client, and observed in the app. */
export class Ledger {
  readonly violations = new Map<Violation, { count: number; cases: string[] }>();
  readonly tally = new Tally();
  observations = 0;

  private readonly calls = new Map<string, Call>();
  private readonly finished = new Map<string, Outcome>();
  private readonly reached = new WeakSet<Call>();
  private count = 0;

  plan(planned: PlannedCall): Call {
    this.count += 1;
    const call = { ...planned, id: `${this.count}`, sentAt: Date.now() };
    this.calls.set(call.id, call);
    return call;
  }

  /** Records the claims that the app saw in a call, which proves that the guard has admitted it. */
  observe(id: string, place: string, claims: SeenClaims | null | undefined): void {
    this.observations += 1;
    const call = this.calls.get(id);
    if (!call) return this.report('unexpected answer', `unknown call ${id} at ${place}`);
    const describe = () => describeCall(call, place, claims);
    const isLate = this.finished.get(id) === 'refused' && !this.reached.has(call);
    this.reached.add(call);
    if (isLate || verdictOf(call) === 'refused') this.report('refused but served', describe());

    const expected = tokensSeen(call);
    if (expected.length === 0) {
      if (claims) this.report('claims without a token', describe());
    } else if (!claims) {
      this.report('admitted without claims', describe());
    } else if (!expected.some(({ sub, jti }) => claims.sub === sub && claims.jti === jti)) {
      this.report('claims of another call', describe());
    }
  }

  /**
   * The property `user` of the request of a call that was admitted.
   *
   * @param isShared whether other calls share the request, so that reading it may throw
   */
  observeUser(id: string, isShared: boolean, read: () => SeenClaims | undefined): void {
    const call = this.calls.get(id);
    const [expected] = call ? tokensSeen(call) : [];
    if (!call || !expected) return;
    try {
      const user = read();
      if (!user) this.report('no user on the request', describeCall(call, 'request', user));
      else if (user.sub !== expected.sub) {
        this.report('another user on the request', describeCall(call, 'request', user));
      }
    } catch (error) {
      if (!isShared)
        this.report('no user on the request', `${describeCall(call, 'request', undefined)} ${String(error)}`);
    }
  }

  finish(call: Call, outcome: Outcome): void {
    const verdict = verdictOf(call);
    const isReached = this.reached.has(call);
    const describe = () => describeCall(call, `answer: ${outcome}`, undefined);
    if (outcome === 'served' && verdict === 'refused') this.report('refused but served', describe());
    if (outcome === 'served' && !isReached) this.report('served without its handler', describe());
    if (outcome === 'refused' && verdict === 'admitted') {
      this.report('refused without a reason', describe());
    }
    if (outcome === 'lost' && verdict === 'admitted') {
      this.report('connection ended without a reason', describe());
    }
    this.tally.add(call, outcome);
    this.remember(call, outcome);
  }

  /** Records the end of a connection that its client has not closed. */
  observeEnd(transport: string, session: Session): void {
    if (verdictOfSession(session) !== 'admitted') return;
    this.report('connection ended without a reason', `${transport} with ${namesOf(session.tokens)}`);
  }

  report(violation: Violation, description: string): void {
    const entry = this.violations.get(violation) ?? { count: 0, cases: [] };
    this.violations.set(violation, entry);
    entry.count += 1;
    if (entry.cases.length < MAX_DESCRIBED) entry.cases.push(description);
  }

  /** The number of unfinished calls. */
  get pending(): number {
    return this.calls.size - this.finished.size;
  }

  private remember({ id }: Call, outcome: Outcome): void {
    this.finished.set(id, outcome);
    if (this.finished.size <= MAX_FINISHED) return;
    // A Map keeps the order of insertion: the first entry is the oldest.
    const [oldest] = this.finished.keys();
    this.finished.delete(oldest as string);
    this.calls.delete(oldest as string);
  }
}

/** The ledger of this run: apps, handlers and clients share one process. */
export const ledger = new Ledger();

function describeCall(call: Call, place: string, claims: SeenClaims | null | undefined): string {
  const { id, transport, route, tokens, session } = call;
  const ofSession = session ? `, on a connection with ${namesOf(session.tokens)}` : '';
  const seen = claims ? `${claims.sub} by ${claims.jti}` : 'no claims';
  return `${transport} ${route} ${id} with ${namesOf(tokens)}${ofSession}: ${seen} at ${place}`;
}

function namesOf(tokens: readonly Token[]): string {
  return tokens.map(({ jti }) => jti).join(' or ') || 'no token';
}

import { KmsUnavailableError } from '../../src/errors/errors.js';
import type { Answer, Cache, VerifyOnlyService } from './caches.js';
import type { Instance, Knowledge, Options } from './instance.js';
import { PROPAGATION, type SimulatedKms, type Tenure } from './kms.js';

const JITTER = 1.1;
/** The time until a failed lookup is retried, in milliseconds. */
const RETRY = 35_000;
/** How long every cache may keep a key set, in milliseconds. */
const CACHED = 360_000;

/** The cases that the documentation excludes from its promises. */
export type Exception =
  | 'a start without a store'
  | 'a late lookup'
  | 'a pause that only the wall clock shows'
  | 'an active key that is disabled or distrusted'
  | 'activationDelay: 0'
  | 'requestAlias'
  | 'a key whose active time an instance missed'
  | 'an alias that flaps'
  | 'two key sets in a row that may not be cached';

export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

/** The promises of the documentation: every token is accepted everywhere until it expires. */
export class Promises {
  readonly exceptions = new Map<Exception, number>();
  signed = 0;
  refused = 0;
  /** Until when tokens are valid, in simulated time, by the tenure of their key in or after which they were signed. */
  private readonly validUntil = new Map<Tenure, number>();
  /** The tenure of the key with which an instance last signed since its start. */
  private readonly lastSigned = new Map<Knowledge, Tenure>();
  private readonly seenWithin: number;
  private readonly distrusted = new Set<string>();

  constructor(
    private readonly kms: SimulatedKms,
    private readonly options: Options,
  ) {
    this.seenWithin = options.refreshInterval * JITTER * 1000 + PROPAGATION;
  }

  /** Records a token that was signed now. */
  record(instance: Instance, kid: string, now: number): void {
    this.signed += 1;
    const seen = this.tenureSeen(instance, kid);
    const isNew = now < seen.from + this.seenWithin + CACHED;
    const last = this.lastSigned.get(instance.knowledge);
    // The alias came back before the instance had activated another key.
    const isKept = isNew && last?.kid === kid && last !== seen;
    const tenure = isKept ? last : seen;
    this.lastSigned.set(instance.knowledge, tenure);
    // An instance that was frozen may not know yet that the key is distrusted.
    if (instance.machine.step !== 0 || this.distrusted.has(kid)) return;
    const exception = isKept
      ? (this.pausedBy(instance, seen) ?? this.lateBy(instance, tenure))
      : isNew && this.earlyBy(instance, tenure);
    if (exception) return this.except(exception);
    const expiry = now + this.options.expiresIn * 1000 + instance.machine.skew;
    this.validUntil.set(tenure, Math.max(this.validUntil.get(tenure) ?? 0, expiry));
  }

  /** Records a refusal to sign, which needs a reason. */
  refuse(instance: Instance, error: unknown, now: number, fail: (problem: BrokenPromise) => void): void {
    this.refused += 1;
    const { index, jumps, lookups } = instance;
    if (this.kms.disabled.size > 0 || this.distrusted.size > 0 || this.kms.isPartitioned(index, 'Sign', now))
      return;
    // A failed lookup is retried within 30 seconds.
    const couldNotLookUp = this.kms.isPartitioned(index, 'GetPublicKey', now - RETRY);
    const active = instance.keys.active?.kid;
    const seenAt = lookups.findLast(({ kid }) => kid === active)?.at ?? -Infinity;
    const isInDoubt = jumps.some((jump) => jump >= seenAt);
    const isMoving = this.options.requestAlias && now < (this.kms.tenures.at(-1)?.from ?? 0) + PROPAGATION;
    const hasReason = error instanceof KmsUnavailableError && error.reason === 'alias_moved';
    if (hasReason && (couldNotLookUp || isInDoubt || isMoving)) return;
    fail(
      new BrokenPromise(`at ${Math.round(now / 1000)} s, instance ${index} does not sign: ${String(error)}`),
    );
  }

  /** Nothing is promised for the tokens of a distrusted key. */
  distrust(kid: string): void {
    this.distrusted.add(kid);
    for (const tenure of this.tenuresOf(kid)) this.validUntil.delete(tenure);
  }

  /**
   * Presents each valid token everywhere. An answer may arrive later, after a lookup.
   *
   * @param fail receives a broken promise
   */
  check(
    instances: readonly Instance[],
    caches: readonly Cache[],
    services: readonly VerifyOnlyService[],
    now: number,
    fail: (problem: BrokenPromise) => void,
  ): void {
    const refused = (by: string, kid: string, exception: Exception | undefined) => {
      if (exception) this.except(exception);
      else fail(new BrokenPromise(`at ${Math.round(now / 1000)} s, ${by} refuses a token of key ${kid}`));
    };
    for (const [tenure, until] of this.validUntil) {
      if (until <= now) continue;
      const { kid } = tenure;
      for (const instance of instances) {
        if (!instance.isRunning || instance.keys.all.has(kid)) continue;
        void instance.refuses(kid).then((isRefused) => {
          if (isRefused) refused(`instance ${instance.index}`, kid, this.unknownTo(instance, tenure));
        });
      }
      for (const cache of caches) {
        void cache.lacks(kid, now).then((answer) => {
          if (!answer) return;
          refused(`a cache of the key set of ${answer.from.index}`, kid, this.cachedBy(answer, tenure));
        });
      }
      for (const service of services) {
        void service.refuses(kid).then((isRefused) => {
          if (isRefused) refused('a service that only verifies', kid, this.droppedBy(service, tenure));
        });
      }
    }
  }

  private except(exception: Exception): void {
    this.exceptions.set(exception, (this.exceptions.get(exception) ?? 0) + 1);
  }

  /** Why an instance may sign with a key before every cache has it. */
  private earlyBy(instance: Instance, tenure: Tenure): Exception | undefined {
    if (this.options.requestAlias) return 'requestAlias';
    if (this.options.activationDelay === 0) return 'activationDelay: 0';
    const { started, lookupsBefore } = instance.knowledge;
    const first = instance.lookups[lookupsBefore];
    if (started === 'fresh' && first && first.kid === tenure.kid && first.at >= tenure.from)
      return 'a start without a store';
    if (this.kms.disabled.size > 0 || this.distrusted.size > 0)
      return 'an active key that is disabled or distrusted';
    return this.lateBy(instance, tenure);
  }

  /** An instance in doubt about the time suspends the active key until it sees that the alias still points to it. */
  private pausedBy({ lookups, pauses }: Instance, { kid, from }: Tenure): Exception | undefined {
    const seenAt = lookups.findLast((lookup) => lookup.kid === kid && lookup.at < from)?.at ?? -Infinity;
    return pauses.some((at) => at >= seenAt) ? 'a pause that only the wall clock shows' : undefined;
  }

  /** Why an instance does not have a key that others sign with. */
  private unknownTo(
    instance: Instance,
    tenure: Tenure,
    { lookupsForgotten, seen }: Knowledge = instance.knowledge,
  ): Exception | undefined {
    const { kid, from, until } = tenure;
    if (this.hasFlapped(tenure)) return 'an alias that flaps';
    // If it knows the key from an earlier tenure, it may drop it earlier than after this tenure.
    if ((seen.get(kid) ?? -Infinity) >= from) {
      return this.hasMissedMove(instance, tenure) ? 'a key whose active time an instance missed' : undefined;
    }
    if (this.options.requestAlias) return 'requestAlias';
    if (this.options.activationDelay === 0) return 'activationDelay: 0';
    const startedAt = instance.lookups[lookupsForgotten]?.at ?? Infinity;
    if (until < startedAt + this.seenWithin) return 'a start without a store';
    // Other instances know the key from an earlier tenure, and sign with it again after the alias has moved back.
    const hasReturned = this.tenuresOf(kid).some((earlier) => earlier.until < startedAt);
    if (hasReturned && !seen.has(kid)) return 'a start without a store';
    return this.hasMissedTenure(instance, tenure) ? 'a key whose active time an instance missed' : undefined;
  }

  /** Why a cached answer may lack a key. If its instance was late, nothing is excepted: the answer must be no-store. */
  private cachedBy(answer: Answer, tenure: Tenure): Exception | undefined {
    const lookup = answer.from.lookups.findLast(({ at, isKnown }) => isKnown && at <= answer.at);
    const isLate =
      answer.at - (lookup?.at ?? -Infinity) > this.options.refreshInterval * JITTER * 1000 + 1000;
    return isLate ? undefined : this.missingFrom(answer, tenure);
  }

  private missingFrom({ from, knowledge }: Answer, tenure: Tenure): Exception | undefined {
    return this.unknownTo(from, tenure, knowledge);
  }

  private droppedBy({ answers }: VerifyOnlyService, tenure: Tenure): Exception | undefined {
    // One answer that has the key is enough.
    if (answers.some(({ kids }) => kids.includes(tenure.kid))) return undefined;
    if (answers.length === 2 && answers.every(({ isNoStore }) => isNoStore)) {
      return 'two key sets in a row that may not be cached';
    }
    return answers
      .map((answer) => this.missingFrom(answer, tenure))
      .find((exception) => exception !== undefined);
  }

  /** Whether the instance could have missed that the alias came to the key, or left it for a while. */
  private lateBy({ lookups }: Instance, { from }: Tenure): Exception | undefined {
    // A key that only Sign has named was never fetched, so the instance could not use it.
    const known = lookups.filter(({ isKnown }) => isKnown);
    const isLate = known.some(({ at }, index) => {
      const before = known[index - 1]?.at ?? -Infinity;
      return at >= from && at - before > this.options.refreshInterval * 1000;
    });
    return isLate ? 'a late lookup' : undefined;
  }

  /** Whether the instance may have missed the whole tenure, because it did not look the alias up in time. */
  private hasMissedTenure({ lookups, machine }: Instance, { from, until }: Tenure): boolean {
    const during = lookups.filter(({ at, isKnown }) => isKnown && at >= from && at <= until + PROPAGATION);
    const times = [from, ...during.map(({ at }) => at), Math.min(until, machine.time.now)];
    return times.some((at, index) => at - (times[index - 1] ?? at) > this.options.refreshInterval * 1000);
  }

  /** Whether it missed a later move: an instance extends the retirement of earlier keys only when it sees a move. */
  private hasMissedMove(instance: Instance, tenure: Tenure): boolean {
    const { tenures } = this.kms;
    return tenures.slice(tenures.indexOf(tenure) + 1).some((later) => {
      const { kid, from, until } = later;
      const seen = instance.lookups.find(
        (lookup) => lookup.kid === kid && lookup.at >= from && lookup.at <= until + PROPAGATION,
      );
      return this.hasMissedTenure(instance, { ...later, until: seen?.at ?? until });
    });
  }

  /** Whether the alias pointed to this key, or to a later one, for so short a time that some instances may not have seen it. */
  private hasFlapped(tenure: Tenure): boolean {
    const { tenures } = this.kms;
    return tenures.slice(tenures.indexOf(tenure)).some(({ from, until }) => until - from < this.seenWithin);
  }

  private tenuresOf(kid: string): Tenure[] {
    return this.kms.tenures.filter((tenure) => tenure.kid === kid);
  }

  /** The last tenure of the key that the instance has seen. */
  private tenureSeen({ lookups }: Instance, kid: string): Tenure {
    const seenAt = lookups.findLast((lookup) => lookup.kid === kid)?.at ?? 0;
    return this.tenuresOf(kid).findLast(({ from }) => from <= seenAt) as Tenure;
  }
}

import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { VerificationKey } from '../jwt/jwk.js';
import { ASSUMED_LIFETIME_SECONDS, REFRESH_JITTER } from '../options/defaults.js';
import type { RotationSettings } from '../options/settings.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { RestartableTimer } from './restartable-timer.js';
import type { RingPersistence } from './ring-persistence.js';
import { eventsBetween } from './rotation-events.js';
import {
  afterEarlyRetirement,
  afterFetch,
  afterTime,
  EMPTY_STATE,
  type FetchedKeys,
  keysOf,
  nextChange,
  type RotationState,
  type RotationTimes,
  withPastKeys,
} from './rotation.js';
import type { SigningKey } from './signing-key.js';

/** The value of `freshFor` before the first fetch. */
const INITIAL_FRESH_FOR_SECONDS = 30;

/**
 * The keys that are trusted now, by their part in the rotation. Each change is emitted as events and stored. Changes that are
 * due are applied when the keys are used; a timer only makes sure that the events and the store do not lag behind.
 */
export class TrustedKeys {
  /** After how many seconds the keys are to be fetched again; undefined if the source's answer cannot change. */
  freshFor: number | undefined = INITIAL_FRESH_FOR_SECONDS;

  private state: RotationState = EMPTY_STATE;
  private byKid = keysOf(EMPTY_STATE);
  /** When `state` next changes by itself, in milliseconds since 1970. */
  private changesAt = Infinity;
  private readonly changeTimer = new RestartableTimer(() => this.advance());
  private longestLifetime: number | undefined;

  /** @param emit receives each change */
  constructor(
    private readonly persistence: RingPersistence,
    private readonly settings: Pick<RotationSettings, 'activationDelay' | 'retireAfter'>,
    private readonly emit: (event: KmsJwtEvent) => void,
    private readonly clock: Clock = SYSTEM_CLOCK,
  ) {}

  /** The key that signs, if there is one. */
  get active(): SigningKey | undefined {
    return this.state.active;
  }

  /** Every key that verifies, by `kid`. */
  get all(): ReadonlyMap<string, VerificationKey> {
    return this.byKid;
  }

  /**
   * Resumes the stored rotation, if it was not read before. If it is too old, or if other keys are in use already, its keys
   * only verify.
   *
   * @throws KmsJwtOptionsError if the store belongs to another instance
   */
  async restore(): Promise<void> {
    if (this.persistence.isRead) return;
    const saved = await this.persistence.read();
    if (!saved) return;
    if (saved.longestLifetime !== undefined) this.recordLifetime(saved.longestLifetime);
    const now = this.clock.now();
    const times = this.times();
    const isRecent = now < saved.savedAt + times.activationDelay + this.propagationDelay() * 1000;
    const canResume = this.state === EMPTY_STATE && isRecent;
    this.replaceState(canResume ? saved.state : withPastKeys(this.state, saved.state, times, now));
  }

  /** @throws KmsJwtOptionsError for a second key with the same `kid`: no token could tell them apart */
  refuseReusedKid(key: SigningKey): void {
    const known = this.byKid.get(key.kid);
    if (!known || known.jwk.x === key.jwk.x) return;
    throw new KmsJwtOptionsError('kid', `must differ from key to key, but ${key.kid} names two`);
  }

  /** Takes over the keys of a fetch. */
  update(fetched: FetchedKeys): void {
    this.freshFor = fetched.freshFor;
    this.transition(afterFetch(this.state, fetched, this.times(), this.clock.now()));
    // Even without a change: an earlier write may have failed, and `savedAt` tells how old the stored state is.
    this.persist();
  }

  /** To be called before the keys are used: the timer may be late. */
  applyDueChanges(): void {
    if (this.clock.now() >= this.changesAt) this.advance();
  }

  /** @see KeyRing.retireEarly */
  retireEarly(key: SigningKey): boolean {
    if (this.state.active?.kid !== key.kid) return true;
    if (!this.state.next) return false;
    if (this.transition(afterEarlyRetirement(this.state, this.times(), this.clock.now()))) this.persist();
    return true;
  }

  /** @see KeyRing.recordLifetime */
  recordLifetime(seconds = ASSUMED_LIFETIME_SECONDS): void {
    if (this.longestLifetime === undefined || seconds > this.longestLifetime) this.longestLifetime = seconds;
  }

  /** Stops the timer, and waits until the last change is stored. */
  async stop(): Promise<void> {
    this.changeTimer.stop();
    await this.persistence.settle();
  }

  /** Also restarts the timer, which may have run too early: the clock can be set back. */
  private advance(): void {
    if (this.transition(afterTime(this.state, this.times(), this.clock.now()))) this.persist();
  }

  /** Replaces the state and emits the events. @returns whether there were any */
  private transition(state: RotationState): boolean {
    const events = eventsBetween(this.state, state);
    this.replaceState(state);
    for (const event of events) this.emit(event);
    return events.length > 0;
  }

  private replaceState(state: RotationState): void {
    this.state = state;
    this.byKid = keysOf(state);
    this.changesAt = nextChange(state);
    if (this.changesAt === Infinity) this.changeTimer.clear();
    else this.changeTimer.restart(this.changesAt - this.clock.now());
  }

  private persist(): void {
    const { state, longestLifetime } = this;
    this.persistence.write({ state, savedAt: this.clock.now(), longestLifetime });
  }

  private times(): RotationTimes {
    // By default a key retires with the longest-lived token that was seen here.
    const { activationDelay, retireAfter = this.longestLifetime ?? ASSUMED_LIFETIME_SECONDS } = this.settings;
    return {
      activationDelay: activationDelay * 1000,
      retireAfter: (retireAfter + this.propagationDelay()) * 1000,
    };
  }

  /** How long another instance may take to see a change that was seen here, in seconds: it may still sign with the old key. */
  private propagationDelay(): number {
    return (this.freshFor ?? 0) * (1 + REFRESH_JITTER);
  }
}

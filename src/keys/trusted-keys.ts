import { type KmsKeyError, KmsJwtOptionsError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { VerificationKey } from '../jwt/jwk.js';
import { isSameOwner } from '../kms/key-arn.js';
import { ASSUMED_LIFETIME_SECONDS, REFRESH_JITTER } from '../options/defaults.js';
import type { RotationSettings } from '../options/settings.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { DistrustedKeyError, DistrustedKeys } from './distrusted-keys.js';
import { RestartableTimer } from './restartable-timer.js';
import type { RingPersistence } from './ring-persistence.js';
import type { SavedState } from './ring-store.js';
import { eventsBetween } from './rotation-events.js';
import {
  afterEarlyRetirement,
  afterFetch,
  afterTime,
  allKeysOf,
  EMPTY_STATE,
  type FetchedKeys,
  keysOf,
  nextChange,
  plausibleAt,
  type RotationState,
  type RotationTimes,
  withoutKeys,
  withPastKeys,
} from './rotation.js';
import type { SigningKey } from './signing-key.js';

/** The value of `freshFor` before the first fetch. */
const INITIAL_FRESH_FOR_SECONDS = 30;

/** For how long after `activationDelay` a stored rotation is resumed. */
const RESUME_SLACK_MS = INITIAL_FRESH_FOR_SECONDS * (1 + REFRESH_JITTER) * 1000;

/** The options that decide over trust. Durations are seconds. */
export interface TrustedKeysSettings extends Pick<
  RotationSettings,
  'activationDelay' | 'retireAfter' | 'refreshInterval' | 'distrustedKeys'
> {
  /** Of the tokens that are signed here, unless a call of `sign` says otherwise; undefined if they do not expire. */
  readonly expiresIn?: number | undefined;
}

/**
 * The keys that are trusted now, by their part in the rotation. Each change is emitted as events and stored. Changes that are
 * due are applied when the keys are used; a timer only makes sure that the events and the store do not lag behind.
 */
export class TrustedKeys {
  /** After how many seconds the keys are to be fetched again; undefined if the source's answer cannot change. */
  freshFor: number | undefined = INITIAL_FRESH_FOR_SECONDS;

  /** Why no key may sign, though there may be an active one: the key that is to sign is distrusted. */
  signingError: KmsKeyError | undefined;

  private state: RotationState = EMPTY_STATE;
  private byKid = keysOf(EMPTY_STATE);
  /** When `state` next changes by itself, in milliseconds since 1970. */
  private changesAt = Infinity;
  private readonly changeTimer = new RestartableTimer(() => this.advance());
  private longestLifetime: number | undefined;
  private isRestored = false;
  /** Whether the source has answered. */
  private isConfirmed = false;
  /** The ARNs of the keys in the store that was read at start. */
  private restoredArns: string[] = [];
  private readonly distrusted: DistrustedKeys;

  /** @param emit receives each change */
  constructor(
    private readonly persistence: RingPersistence,
    private readonly settings: TrustedKeysSettings,
    private readonly emit: (event: KmsJwtEvent) => void,
    private readonly clock: Clock = SYSTEM_CLOCK,
  ) {
    this.distrusted = new DistrustedKeys(settings.distrustedKeys, emit);
  }

  /** The key that signs, if there is one. */
  get active(): SigningKey | undefined {
    return this.state.active;
  }

  /** After how many seconds to fetch and to read the store again; undefined if neither can change. */
  get refreshAfter(): number | undefined {
    return this.freshFor ?? (this.persistence.isUsed ? this.settings.refreshInterval : undefined);
  }

  /** Whether a token with that `kid` is known to be one of a distrusted key. */
  isDistrusted(kid: string): boolean {
    return !this.byKid.has(kid) && this.distrusted.hasKid(kid);
  }

  /** Every key that verifies, by `kid`. */
  get all(): ReadonlyMap<string, VerificationKey> {
    return this.byKid;
  }

  /**
   * Reads the store; undefined if it is empty or failed.
   *
   * @throws KmsJwtOptionsError if the store belongs to another instance or another source, or is not safe
   */
  readStore(): Promise<SavedState | undefined> {
    return this.persistence.read();
  }

  /**
   * Takes over the distrusted keys that the store names, and drops those keys. From the first content, which may come late,
   * also resumes the rotation; if that is too old, or if other keys are in use already, its keys only verify.
   */
  takeStored(saved: SavedState | undefined): void {
    this.distrusted.add(saved?.distrusted ?? []);
    if (saved?.longestLifetime !== undefined) this.recordLifetime(saved.longestLifetime);
    if (saved && !this.isRestored) this.restore(saved);
    this.isRestored ||= this.persistence.isRead;
    this.dropDistrusted();
  }

  /** @throws KmsJwtOptionsError for a second key with the same `kid`: no token could tell them apart */
  refuseReusedKid(key: SigningKey): void {
    const known = this.byKid.get(key.kid);
    if (!known || known.jwk.x === key.jwk.x) return;
    throw new KmsJwtOptionsError(
      'kid',
      `must differ from key to key, but ${printableName(key.kid)} names two`,
    );
  }

  /**
   * The same alias names another key in another account or Region, whose store must not be used here.
   *
   * @throws KmsJwtOptionsError if the keys that were restored are of another account or Region, after they were dropped
   */
  refuseForeignStore(key: SigningKey): void {
    if (this.restoredArns.every((arn) => isSameOwner(arn, key.keyArn))) return;
    this.transition(EMPTY_STATE);
    throw new KmsJwtOptionsError(
      'rotation.store',
      'has keys of another AWS account or Region: give each service its own store',
    );
  }

  /** @throws KmsKeyError for the key that is to sign */
  refuseDistrusted(key: SigningKey): void {
    if (!this.distrusted.filterFor([key])(key)) throw new DistrustedKeyError(key);
  }

  /** Takes over the keys of a fetch, less those that are distrusted. */
  update({ signing, ...fetched }: FetchedKeys): void {
    this.freshFor = fetched.freshFor;
    this.isConfirmed = true;
    const isTrusted = this.distrusted.filterFor([...(signing ? [signing] : []), ...fetched.others]);
    const isBlocked = signing !== undefined && !isTrusted(signing);
    this.signingError = isBlocked ? new DistrustedKeyError(signing) : undefined;
    const trusted = {
      ...fetched,
      ...(signing && !isBlocked && { signing }),
      others: fetched.others.filter(isTrusted),
    };
    this.dropDistrusted();
    this.transition(afterFetch(this.state, trusted, this.times(), this.clock.now()));
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

  /** Records how long a token lives that was signed here, as its key must verify for as long. */
  recordLifetime(seconds = ASSUMED_LIFETIME_SECONDS): void {
    if (this.longestLifetime === undefined || seconds > this.longestLifetime) this.longestLifetime = seconds;
  }

  /** Stops the timer, and waits until the last change is stored. */
  async stop(): Promise<void> {
    this.changeTimer.stop();
    await this.persistence.settle();
  }

  private restore(saved: SavedState): void {
    const now = this.clock.now();
    const times = this.times();
    const isRecent = now < saved.savedAt + times.activationDelay + RESUME_SLACK_MS;
    const state = plausibleAt(saved.state, times, now);
    this.restoredArns = [state.active, state.next?.key].flatMap((key) => (key ? [key.keyArn] : []));
    const canResume = this.state === EMPTY_STATE && isRecent;
    this.replaceState(canResume ? state : withPastKeys(this.state, state, times, now));
  }

  private dropDistrusted(): void {
    const isTrusted = this.distrusted.filterFor(allKeysOf(this.state));
    if (allKeysOf(this.state).every(isTrusted)) return;
    this.transition(withoutKeys(this.state, isTrusted, this.times(), this.clock.now()));
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
    this.changesAt = nextChange(state, this.times());
    if (this.changesAt === Infinity) this.changeTimer.clear();
    else this.changeTimer.restart(this.changesAt - this.clock.now());
  }

  private persist(): void {
    // Until KMS has answered, the ring may be that of another account.
    if (!this.isConfirmed) return;
    const { state, longestLifetime } = this;
    this.persistence.write({
      state,
      savedAt: this.clock.now(),
      longestLifetime,
      distrusted: this.distrusted.all,
    });
  }

  private times(): RotationTimes {
    // By default a key retires with the longest-lived token that was signed here. What was only verified does not count:
    // a thief could present a token of ten years.
    const { activationDelay, expiresIn = ASSUMED_LIFETIME_SECONDS } = this.settings;
    const { retireAfter = Math.max(expiresIn, this.longestLifetime ?? 0) } = this.settings;
    return {
      activationDelay: activationDelay * 1000,
      retireAfter: (retireAfter + this.propagationDelay()) * 1000,
    };
  }

  /** How long another instance may take to see a change that was seen here, in seconds: it may still sign with the old key. */
  private propagationDelay(): number {
    return this.freshFor === undefined ? 0 : this.settings.refreshInterval * (1 + REFRESH_JITTER);
  }
}

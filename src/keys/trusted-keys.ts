import { type KmsKeyError, KmsJwtOptionsError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { isSamePublicKey, type VerificationKey } from '../jwt/jwk.js';
import { isSameKey, isSameOwner } from '../kms/key-arn.js';
import { ASSUMED_LIFETIME_SECONDS, REFRESH_JITTER } from '../options/defaults.js';
import { AliasLookups } from './alias-lookups.js';
import { type Clock, SYSTEM_CLOCK } from './clock.js';
import { DistrustedKeyError, DistrustedKeys } from './distrusted-keys.js';
import { RestartableTimer } from './restartable-timer.js';
import type { RingPersistence } from './ring-persistence.js';
import type { SavedState } from './ring-store.js';
import { eventsBetween } from './rotation-events.js';
import {
  afterEarlyRetirement,
  afterFetch,
  afterLookup,
  afterTime,
  allKeysOf,
  EMPTY_STATE,
  type FetchedKeys,
  follows,
  keysOf,
  nextChange,
  plausibleAt,
  publishedAnew,
  type RotationState,
  type RotationTimes,
  shifted,
  signsUntil,
  withoutKeys,
  withPastKeys,
} from './rotation.js';
import { rotationTimes, type TrustSettings } from './rotation-times.js';
import type { SigningKey } from './signing-key.js';

/** The value of `freshFor` before the first fetch. */
const INITIAL_FRESH_FOR_SECONDS = 30;

/**
 * The keys that are trusted now, by their role in the rotation. Each change is emitted as events and stored. Expired keys are
 * removed at the next use; a timer only makes sure that events and store do not lag behind. Time alone never activates a key.
 */
export class TrustedKeys {
  /** After how many seconds the keys are to be fetched again; undefined if the source's answer cannot change. */
  freshFor: number | undefined = INITIAL_FRESH_FOR_SECONDS;

  /** Why no key may sign, even if there is an active one: the key that is to sign is distrusted. */
  signingError: KmsKeyError | undefined;

  /** What is known about the target of the alias; without an alias, about the source's answers. */
  readonly lookups: AliasLookups;

  private state: RotationState = EMPTY_STATE;
  private byKid = keysOf(EMPTY_STATE);
  /** When `state` next changes by itself, in elapsed time. */
  private changesAt = Infinity;
  private readonly changeTimer: RestartableTimer;
  private longestLifetime: number | undefined;
  private isRestored = false;
  private persistedAt = -Infinity;
  /** Whether the source has answered. */
  private isConfirmed = false;
  /** The ARNs of the keys in the store that was read at start. */
  private restoredArns: string[] = [];
  private readonly distrusted: DistrustedKeys;

  /** @param emit receives each change */
  constructor(
    private readonly persistence: RingPersistence,
    private readonly settings: TrustSettings,
    private readonly emit: (event: KmsJwtEvent) => void,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    this.distrusted = new DistrustedKeys(settings.distrustedKeys, emit);
    this.lookups = new AliasLookups(clock, emit);
    this.changeTimer = new RestartableTimer(() => this.advance(), clock);
  }

  /** The key that signs, if there is one. */
  get active(): SigningKey | undefined {
    return this.state.active;
  }

  /** After how many seconds to fetch and to read the store again; undefined if neither can change. */
  get refreshAfter(): number | undefined {
    return this.freshFor ?? (this.persistence.isUsed ? this.settings.refreshInterval : undefined);
  }

  /** In how many milliseconds a lookup is due that may activate the next key; undefined if none is, or if it is overdue. */
  get activationIn(): number | undefined {
    const { next } = this.state;
    const milliseconds = next && next.activatesAt - this.lookups.elapsed.now();
    return milliseconds !== undefined && milliseconds > 0 ? milliseconds : undefined;
  }

  /** Whether a token with that `kid` is known to be signed by a distrusted key. */
  isDistrusted(kid: string): boolean {
    return !this.byKid.has(kid) && this.distrusted.hasKid(kid);
  }

  /** Every key that verifies, by `kid`. */
  get all(): ReadonlyMap<string, VerificationKey> {
    return this.byKid;
  }

  /** Whether the last lookup is so old that the keys may be out of date. Never, if the source's answer cannot change. */
  get isStale(): boolean {
    return this.freshFor !== undefined && !this.lookups.isFresh(this.freshFor * (1 + REFRESH_JITTER) * 1000);
  }

  /** Whether the alias has to be looked up before the next signature: it is stale, or a lookup is to activate the next key. */
  get needsLookup(): boolean {
    const { next } = this.state;
    return this.isStale || (next !== undefined && next.activatesAt <= this.lookups.elapsed.now());
  }

  /** Whether every other instance still trusts new tokens of the active key, as far as is known here. */
  get maySign(): boolean {
    if (this.freshFor === undefined) return true;
    return this.lookups.latestNow() < signsUntil(this.state, this.times, this.lookups.followedUntil);
  }

  /** Whether `sign` can succeed as far as is known here. If not, it is refused until the alias has been looked up, or permanently. */
  get canSign(): boolean {
    if (this.signingError) return false;
    // An old lookup alone does not prevent signing: Sign with the alias is the next lookup.
    return this.maySign || (this.needsLookup && this.lookups.unknownTarget === undefined);
  }

  /**
   * Reads the store; undefined if it is empty or failed.
   *
   * @throws KmsJwtOptionsError if the store belongs to another registration or another source, or is not safe
   */
  readStore(): Promise<SavedState | undefined> {
    return this.persistence.read();
  }

  /**
   * Adds the distrusted keys in the store, and drops those keys. The first content, which may come late, also resumes the
   * rotation; if other keys are already in use, the stored ones only verify.
   */
  takeStored(saved: SavedState | undefined): void {
    this.distrusted.add(saved?.distrusted ?? []);
    if (saved?.longestLifetime !== undefined) this.recordLifetime(saved.longestLifetime);
    if (saved && !this.isRestored) this.restore(saved);
    this.isRestored ||= this.persistence.isRead;
    this.dropDistrusted();
  }

  /**
   * Refuses a key with the `kid` of another known key: tokens could not distinguish them. Also refuses a key of another account
   * or Region than the stored keys, because the same alias may exist there: the stored keys are then dropped.
   *
   * @throws KmsJwtOptionsError
   */
  refuseForeign(key: SigningKey): void {
    if (!this.restoredArns.every((arn) => isSameOwner(arn, key.keyArn))) {
      this.transition(EMPTY_STATE);
      const problem = 'has keys of another AWS account or Region: give each service its own store';
      throw new KmsJwtOptionsError('rotation.store', problem);
    }
    const known = this.byKid.get(key.kid);
    if (!known || isSamePublicKey(known, key)) return;
    const problem = `must be unique for each key, but two keys have the kid ${printableName(key.kid)}`;
    throw new KmsJwtOptionsError('kid', problem);
  }

  /** @throws KmsKeyError if the key that is to sign is distrusted */
  refuseDistrusted(key: SigningKey): void {
    if (!this.distrusted.filterFor([key])(key)) throw new DistrustedKeyError(key);
  }

  /**
   * Uses the keys of a fetch, except for those that are distrusted.
   *
   * @param sentAt when the fetch began, in elapsed time
   */
  update({ signing, others, freshFor }: FetchedKeys, sentAt: number): void {
    this.freshFor = freshFor;
    this.isConfirmed = true;
    const isTrusted = this.distrusted.filterFor([...(signing ? [signing] : []), ...others]);
    const isBlocked = signing !== undefined && !isTrusted(signing);
    this.signingError = isBlocked ? new DistrustedKeyError(signing) : undefined;
    const target = isBlocked ? undefined : signing;
    this.dropDistrusted();
    const lookup = signing && this.lookups.lookupOf(target);
    const now = this.lookups.elapsed.now();
    this.transition(afterFetch(this.state, others.filter(isTrusted), lookup, this.times, now));
    this.lookups.answered(sentAt, target?.kid === this.active?.kid, !lookup || follows(lookup, this.times));
    // Even without a change: an earlier write may have failed, and `lookedUpAt` tells how old the stored state is.
    this.persist();
  }

  /**
   * Records which key the alias pointed to when it was sent with Sign.
   *
   * @param sentAt when it was sent, in elapsed time
   * @returns false if that key is not known, and has to be fetched
   */
  recordTarget(keyArn: string, sentAt: number): boolean {
    if (sentAt < this.lookups.lastAt) return true;
    const { active, next, retired } = this.state;
    const keys = [active, next?.key, ...retired.map(({ key }) => key)];
    const target = keys.find((key) => key && isSameKey(key.keyArn, keyArn));
    if (!target && !this.lookups.moved(keyArn)) return false;
    const hasChanged = this.transition(afterLookup(this.state, this.lookups.lookupOf(target), this.times));
    if (!target) return false;
    this.lookups.answered(sentAt, target.kid === this.state.active?.kid);
    if (hasChanged || sentAt > this.persistedAt + this.settings.refreshInterval * 1000) this.persist();
    return true;
  }

  /** To be called before the keys are used: the timer may be late. */
  applyDueChanges(): void {
    if (this.lookups.elapsed.now() >= this.changesAt) this.advance();
  }

  /** @see KeyRing.retireEarly */
  retireEarly(key: SigningKey): boolean {
    if (this.state.active?.kid !== key.kid) return true;
    if (!this.state.next) return false;
    const now = this.lookups.elapsed.now();
    if (this.transition(afterEarlyRetirement(this.state, this.times, now))) this.persist();
    return true;
  }

  /** Records the lifetime of a token that was signed here: its key must verify for as long. */
  recordLifetime(seconds = ASSUMED_LIFETIME_SECONDS): void {
    if (this.longestLifetime === undefined || seconds > this.longestLifetime) this.longestLifetime = seconds;
  }

  /** Ends the trust in every key. */
  removeAll(): void {
    this.transition(EMPTY_STATE);
  }

  /** Stops the timer, and waits until the last change is stored. */
  async stop(): Promise<void> {
    this.changeTimer.stop();
    await this.persistence.settle();
  }

  private restore(saved: SavedState): void {
    const now = this.lookups.elapsed.now();
    const { wallAhead: ahead } = this.lookups.elapsed;
    const isAllowed = ({ algorithm }: VerificationKey) => this.settings.algorithms.includes(algorithm);
    const allowed = withoutKeys(shifted(saved.state, -ahead), isAllowed, this.times, now);
    const state = plausibleAt(allowed, this.times, now);
    this.restoredArns = [state.active, state.next?.key].flatMap((key) => (key ? [key.keyArn] : []));
    if (this.state !== EMPTY_STATE) return this.replaceState(withPastKeys(this.state, state, now));
    this.lookups.restore(saved.lookedUpAt - ahead);
    this.replaceState(afterTime(this.maySign ? state : publishedAnew(state, now), this.times, now));
  }

  private dropDistrusted(): void {
    const isTrusted = this.distrusted.filterFor(allKeysOf(this.state));
    if (allKeysOf(this.state).every(isTrusted)) return;
    this.transition(withoutKeys(this.state, isTrusted, this.times, this.lookups.elapsed.now()));
  }

  private advance(): void {
    if (this.transition(afterTime(this.state, this.times, this.lookups.elapsed.now()))) this.persist();
  }

  /** Replaces the state and emits the events. @returns whether there were any */
  private transition(state: RotationState): boolean {
    if (state === this.state) return false;
    const events = eventsBetween(this.state, state);
    this.replaceState(state);
    for (const event of events) this.emit(event);
    return events.length > 0;
  }

  private replaceState(state: RotationState): void {
    this.state = state;
    this.byKid = keysOf(state);
    this.changesAt = nextChange(state, this.times);
    if (this.changesAt === Infinity) this.changeTimer.clear();
    else this.changeTimer.restart(this.changesAt - this.lookups.elapsed.now());
  }

  private persist(): void {
    // Until KMS has answered, the ring may be that of another account.
    if (!this.isConfirmed) return;
    this.persistedAt = this.lookups.elapsed.now();
    const ahead = this.lookups.elapsed.wallAhead;
    this.persistence.write({
      state: shifted(this.state, ahead),
      lookedUpAt: this.lookups.followedUntil + ahead,
      longestLifetime: this.longestLifetime,
      distrusted: this.distrusted.all,
    });
  }

  private get times(): RotationTimes {
    return rotationTimes(this.settings, this.longestLifetime, this.freshFor !== undefined);
  }
}

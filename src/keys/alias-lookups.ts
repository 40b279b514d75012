import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { isSameKey } from '../kms/key-arn.js';
import type { Clock } from './clock.js';
import { type ClockStep, ElapsedTime } from './elapsed-time.js';
import type { Lookup } from './rotation.js';
import type { SigningKey } from './signing-key.js';

/** The minimum time between two calls of Sign that only show that the alias points to an unknown key, in milliseconds. */
const RETRY_MS = 30_000;
/** How far a stored time may be in the future, and by how much clocks may disagree about one step. */
const TOLERANCE_MS = 5000;

/**
 * What is known about the target of the alias: when it was last looked up, and what may have happened since. Times are
 * milliseconds of elapsed time.
 */
export class AliasLookups {
  readonly elapsed: ElapsedTime;
  /** When the last answered lookup was sent. */
  lastAt = -Infinity;
  /**
   * The time up to which the moves of the alias are known here. After a late lookup that shows a distrusted key, it stays before
   * `lastAt`: which key the other instances sign with is unknown until a lookup shows one that may sign.
   */
  followedUntil = -Infinity;
  /** The key that the alias points to according to Sign, if it has not been fetched yet, and since when. */
  private movedTo: { readonly keyArn: string; readonly at: number } | undefined;
  /** When Sign last showed that. */
  private movedShownAt = -Infinity;
  /**
   * How much more time may have passed than `elapsed` shows since the active key was last seen: a clock has jumped ahead,
   * because it was set, or because the machine was suspended and no other clock shows it.
   */
  private unexplained = 0;
  /** When a clock last jumped ahead: the process may have been suspended, so the alias has to be looked up again. */
  private steppedAt = -Infinity;
  private hasJumped = false;

  /** @param emit receives each step of a clock */
  constructor(
    clock: Clock,
    private readonly emit: (event: KmsJwtEvent) => void,
  ) {
    this.elapsed = new ElapsedTime(clock, (step) => this.onStep(step));
  }

  /** The ARN of the key that the alias points to, if that key has not been fetched yet. */
  get unknownTarget(): string | undefined {
    return this.movedTo?.keyArn;
  }

  /** Whether Sign may be sent by alias to see whether it still points to that key: it may have moved back. */
  get isUnknownTargetOld(): boolean {
    return this.elapsed.now() >= this.movedShownAt + RETRY_MS;
  }

  /** Whether the last lookup is at most `maxAge` milliseconds old, and nothing shows that it is out of date. */
  isFresh(maxAge: number): boolean {
    const age = this.elapsed.now() - this.lastAt;
    return age <= maxAge && this.lastAt >= this.steppedAt && !this.movedTo;
  }

  /** The time at which a lookup is sent. It is read from all clocks, because the process may have been suspended. */
  now(): number {
    return this.elapsed.nowByAllClocks();
  }

  /** The latest time that any clock allows. */
  latestNow(): number {
    return this.elapsed.now() + this.unexplained;
  }

  /** A lookup that is answered now. @param target the key that it shows; undefined for a distrusted one */
  lookupOf(target: SigningKey | undefined): Lookup {
    const { followedUntil: lastAt, unexplained, movedTo } = this;
    const now = this.elapsed.now();
    const wasSeen = movedTo && target && isSameKey(movedTo.keyArn, target.keyArn);
    return { target, now, seenAt: wasSeen ? movedTo.at : now, lastAt, unexplained };
  }

  /**
   * Records that a lookup was answered.
   *
   * @param sentAt when it was sent
   * @param isActive whether it shows the active key
   * @param isFollowed whether it shows which key the other instances sign with
   */
  answered(sentAt: number, isActive: boolean, isFollowed = true): void {
    this.lastAt = Math.max(this.lastAt, sentAt);
    if (isFollowed) this.followedUntil = this.lastAt;
    this.movedTo = undefined;
    if (isActive && sentAt >= this.steppedAt) this.unexplained = 0;
  }

  /** Restores when the last lookup before a restart was sent. A time far in the future is ignored; clocks may differ a little. */
  restore(sentAt: number): void {
    const now = this.elapsed.now();
    if (sentAt <= now + TOLERANCE_MS) this.answered(Math.min(sentAt, now), true);
  }

  /** Records that the alias points to a key that is not known here. @returns whether it has moved since the last call */
  moved(keyArn: string): boolean {
    const now = this.elapsed.now();
    this.movedShownAt = now;
    if (this.movedTo && isSameKey(this.movedTo.keyArn, keyArn)) return false;
    this.movedTo = { keyArn, at: now };
    return true;
  }

  /** Requests a fetch of the keys, as after a jump of a clock. */
  requestRefresh(): void {
    this.hasJumped = true;
  }

  /** Whether a clock has jumped ahead since the last call of this function. */
  takeJump(): boolean {
    const { hasJumped } = this;
    this.hasJumped = false;
    return hasJumped;
  }

  private onStep({ wall, suspended, unexplained, at }: ClockStep): void {
    const rest = this.unexplained + unexplained;
    // A clock that is set back by more than was unexplained corrects something else.
    if (rest >= -TOLERANCE_MS) this.unexplained = Math.max(0, rest);
    if (suspended > 0 || unexplained > 0) {
      this.steppedAt = at;
      this.hasJumped = true;
    }
    const seconds = (unexplained < 0 ? wall : suspended + unexplained) / 1000;
    this.emit({ type: 'clock_stepped', seconds, suspended: suspended / 1000 });
  }
}

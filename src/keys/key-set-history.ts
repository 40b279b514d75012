import type { VerificationKey } from '../jwt/jwk.js';

/** The time between the two answers that drop a key: a cache, or one of several servers, may lag behind. */
export const CONFIRM_AFTER_SECONDS = 30;

/** Which keys of a key set to trust: those of the last answer, and those whose removal is not confirmed yet. */
export class KeySetHistory {
  private trusted: readonly VerificationKey[] = [];
  /** By `kid`: the monotonic time of the first of the consecutive answers that lacked the key. */
  private readonly absentSince = new Map<string, number>();

  /** Whether the last answer lacked keys that will be dropped if the next one lacks them, too. */
  get awaitsConfirmation(): boolean {
    return this.absentSince.size > 0;
  }

  /** Records an answer, which may contain no key. @returns the keys to trust */
  take(answer: readonly VerificationKey[], now: number): readonly VerificationKey[] {
    const kids = new Set(answer.map(({ kid }) => kid));
    for (const kid of kids) this.absentSince.delete(kid);
    const kept = this.trusted.filter(({ kid }) => !kids.has(kid) && this.isToBeKept(kid, now));
    this.trusted = [...answer, ...kept];
    return this.trusted;
  }

  private isToBeKept(kid: string, now: number): boolean {
    const since = this.absentSince.get(kid) ?? now;
    const isKept = now < since + CONFIRM_AFTER_SECONDS * 1000;
    if (isKept) this.absentSince.set(kid, since);
    else this.absentSince.delete(kid);
    return isKept;
  }
}

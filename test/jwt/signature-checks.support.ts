import { setImmediate } from 'node:timers/promises';
import type { SignatureCheck } from '../../src/jwt/signature.js';
import { SignatureChecks, type SignatureVerifier } from '../../src/jwt/signature-checks.js';
import { verificationKey } from '../support/verification-key.js';

const KEY = verificationKey('a');

/** A check that the verifier of `newChecks` finds valid, unless the name begins with `bad`. */
export function checkOf(name: string, signature = Buffer.alloc(64)): SignatureCheck {
  return { input: Buffer.from(name), signature, key: KEY };
}

export type PoolJob = { name: string; answer: (isValid?: boolean, error?: Error) => void };

/** Checks with a simulated thread pool and clock, which the test controls. */
export function newChecks() {
  const onMain: string[] = [];
  const inPool: PoolJob[] = [];
  const timers: { at: number; run: () => void }[] = [];
  let now = 1000;
  const failures = new Set<string>();

  const verifier = ((check: SignatureCheck, callback?: (error: Error | null, isValid: boolean) => void) => {
    const name = check.input.toString();
    if (failures.has(name)) throw new Error('ERR_CRYPTO');
    if (callback) {
      const answer: PoolJob['answer'] = (isValid = !name.startsWith('bad'), error) =>
        callback(error ?? null, isValid);
      return void inPool.push({ name, answer });
    }
    onMain.push(name);
    return !name.startsWith('bad');
  }) as SignatureVerifier;

  const checks = new SignatureChecks({
    verifier,
    now: () => now,
    runIn: (milliseconds, run) => void timers.push({ at: now + milliseconds, run }),
  });

  /** Lets time pass, and runs the timers that are due. */
  const pass = (milliseconds: number) => {
    now += milliseconds;
    for (const timer of timers.splice(0)) {
      if (timer.at <= now) timer.run();
      else timers.push(timer);
    }
  };
  /** Makes a trial that the pool answers after so many milliseconds and turns of the event loop. */
  const trial = async (milliseconds = 0, turns = 0) => {
    await nextTurn();
    now += 50;
    void checks.check(checkOf('first'));
    void checks.check(checkOf('trial'));
    for (let turn = 0; turn < turns; turn += 1) {
      await nextTurn();
      // Turns are counted only during checks.
      void checks.check(checkOf('meanwhile'));
    }
    now += milliseconds;
    const job = inPool.pop();
    job?.answer();
    await nextTurn();
    onMain.length = 0;
    return job !== undefined;
  };
  return { checks, onMain, inPool, failures, pass, trial, nextTurn };
}

/** Checks whose pool has passed a trial. */
export async function quickChecks() {
  const all = newChecks();
  await all.trial();
  return all;
}

/** Waits for the next turn of the event loop. */
export async function nextTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/** The results of all calls, synchronous or not. */
export function allOf(results: (boolean | Promise<boolean>)[]): Promise<boolean[]> {
  return Promise.all(results.map(async (result) => result));
}

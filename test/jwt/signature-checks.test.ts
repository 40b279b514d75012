import { sign } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SignatureChecks } from '../../src/jwt/signature-checks.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';
import { allOf, checkOf, newChecks, nextTurn, quickChecks } from './signature-checks.support.js';

const names = (jobs: { name: string }[]) => jobs.map(({ name }) => name);

describe('a check', () => {
  test.each([0, 1, 32, 63, 65, 96, 128])('of a signature of %i bytes is no check', (length) => {
    const { checks, onMain } = newChecks();
    expect(checks.check(checkOf('a', Buffer.alloc(length)))).toBe(false);
    expect(onMain).toEqual([]);
  });

  test('tells a valid signature from others, on the main thread and on the pool', async () => {
    const { publicKey, privateKey } = newKeyPair();
    const key = verificationKey('a', publicKey);
    const input = Buffer.from('header.payload');
    const valid = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const checks = new SignatureChecks();
    const signatures = Array.from({ length: 40 }, (_, at) => (at % 3 === 0 ? valid : Buffer.alloc(64, at)));
    const expected = signatures.map((signature) => signature === valid);
    let wasOnPool = false;
    for (let time = 0; time < 1000 && !wasOnPool; time += 1) {
      const results = signatures.map((signature) => checks.check({ input, signature, key }));
      wasOnPool = results.some((result) => result instanceof Promise);
      expect(await allOf(results)).toEqual(expected);
      // Until the next trial.
      await setTimeout(10);
    }
    expect(wasOnPool).toBe(true);
  });

  test('that fails counts as invalid on the main thread', () => {
    const { checks, failures } = newChecks();
    failures.add('a');
    expect(checks.check(checkOf('a'))).toBe(false);
  });

  test('that fails as a trial has its result from the main thread', async () => {
    const { checks, failures } = newChecks();
    failures.add('b');
    expect(checks.check(checkOf('a'))).toBe(true);
    expect(checks.check(checkOf('b'))).toBe(false);
  });

  test('that fails on the pool counts as invalid, whatever else the pool says', async () => {
    const { checks, inPool } = await quickChecks();
    void checks.check(checkOf('first'));
    const result = checks.check(checkOf('a'));
    inPool[0]?.answer(true, new Error('ERR_CRYPTO'));
    expect(await result).toBe(false);
  });

  test('that the pool does not take counts as invalid, and holds up no other', async () => {
    const { checks, inPool, failures } = await quickChecks();
    failures.add('a');
    void checks.check(checkOf('first'));
    const results = [checks.check(checkOf('a')), checks.check(checkOf('b'))];
    inPool[0]?.answer();
    expect(await allOf(results)).toEqual([false, true]);
  });
});

describe('calls one after the other', () => {
  test('stay on the main thread, with a quick pool too', async () => {
    const { checks, onMain, inPool } = await quickChecks();
    for (let index = 0; index < 50; index += 1) {
      expect(checks.check(checkOf('a'))).toBe(true);
      await Promise.resolve();
    }
    expect(onMain).toHaveLength(50);
    expect(inPool).toEqual([]);
  });

  test('of many turns stay there', async () => {
    const { checks, inPool } = await quickChecks();
    for (let index = 0; index < 10; index += 1) {
      expect(checks.check(checkOf('a'))).toBe(true);
      await nextTurn();
    }
    expect(inPool).toEqual([]);
  });

  test('are interrupted after 64, so that they do not hold the event loop', async () => {
    const { checks } = newChecks();
    for (let index = 0; index < 64; index += 1) {
      expect(checks.mayRead()).toBe(true);
      void checks.check(checkOf('a'));
      await Promise.resolve();
    }
    expect(checks.mayRead()).toBe(false);
    await checks.room();
    expect(checks.mayRead()).toBe(true);
  });
});

describe('calls at once', () => {
  test('are all on the main thread until a trial was quick, with one trial at a time', () => {
    const { checks, onMain, inPool } = newChecks();
    for (const name of ['a', 'b', 'c']) expect(checks.check(checkOf(name))).toBe(true);
    expect(onMain).toEqual(['a', 'b', 'c']);
    expect(names(inPool)).toEqual(['b']);
  });

  test('go to the pool after that, apart from the first', async () => {
    const { checks, onMain, inPool } = await quickChecks();
    const results = ['a', 'b', 'bad c'].map((name) => checks.check(checkOf(name)));
    expect(results[0]).toBe(true);
    expect(onMain).toEqual(['a']);
    expect(names(inPool)).toEqual(['b', 'bad c']);
    for (const job of inPool) job.answer();
    expect(await allOf(results)).toEqual([true, true, false]);
  });

  test('are also those of several tasks in one turn of the event loop', async () => {
    const { checks, inPool } = await quickChecks();
    // Callbacks of one phase of the event loop, as of two requests.
    for (const name of ['a', 'b']) setImmediate(() => void checks.check(checkOf(name)));
    await nextTurn();
    expect(names(inPool)).toEqual(['b']);
  });

  test('have their results in the order of the calls, whatever the order of the pool', async () => {
    const { checks, inPool } = await quickChecks();
    const settled: string[] = [];
    void checks.check(checkOf('first'));
    const results = ['a', 'b', 'bad c', 'd'].map(async (name) => {
      settled.push(`${name} ${await checks.check(checkOf(name))}`);
    });
    const [a, b, c, d] = inPool;
    d?.answer();
    c?.answer();
    await nextTurn();
    expect(settled).toEqual([]);
    a?.answer();
    await nextTurn();
    expect(settled).toEqual(['a true']);
    b?.answer();
    await Promise.all(results);
    expect(settled).toEqual(['a true', 'b true', 'bad c false', 'd true']);
  });
});

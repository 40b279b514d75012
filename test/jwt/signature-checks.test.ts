import { sign } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { SignatureChecks } from '../../src/jwt/signature-checks.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';
import { allOf, checkOf, newChecks, nextTurn, quickChecks } from './signature-checks.support.js';

const names = (jobs: { name: string }[]) => jobs.map(({ name }) => name);

describe('a check', () => {
  test.each([0, 1, 32, 63, 65, 96, 128])(
    'of a signature of %i bytes is false without verification',
    (length) => {
      const { checks, onMain } = newChecks();
      expect(checks.check(checkOf('a', Buffer.alloc(length)))).toBe(false);
      expect(onMain).toEqual([]);
    },
  );

  test('distinguishes valid from invalid signatures, on the main thread and in the pool', async () => {
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
      // Wait for the next trial.
      await setTimeout(10);
    }
    expect(wasOnPool).toBe(true);
  });

  test('that throws on the main thread is false', () => {
    const { checks, failures } = newChecks();
    failures.add('a');
    expect(checks.check(checkOf('a'))).toBe(false);
  });

  test('that throws in a trial has the result of the main thread', async () => {
    const { checks, failures } = newChecks();
    failures.add('b');
    expect(checks.check(checkOf('a'))).toBe(true);
    expect(checks.check(checkOf('b'))).toBe(false);
  });

  test('that fails in the pool is false, even if the pool also reports it as valid', async () => {
    const { checks, inPool } = await quickChecks();
    void checks.check(checkOf('first'));
    const result = checks.check(checkOf('a'));
    inPool[0]?.answer(true, new Error('ERR_CRYPTO'));
    expect(await result).toBe(false);
  });

  test('that the pool rejects is false, and does not delay others', async () => {
    const { checks, inPool, failures } = await quickChecks();
    failures.add('a');
    void checks.check(checkOf('first'));
    const results = [checks.check(checkOf('a')), checks.check(checkOf('b'))];
    inPool[0]?.answer();
    expect(await allOf(results)).toEqual([false, true]);
  });
});

describe('sequential calls', () => {
  test('stay on the main thread, even with a quick pool', async () => {
    const { checks, onMain, inPool } = await quickChecks();
    for (let index = 0; index < 50; index += 1) {
      expect(checks.check(checkOf('a'))).toBe(true);
      await Promise.resolve();
    }
    expect(onMain).toHaveLength(50);
    expect(inPool).toEqual([]);
  });

  test('in separate turns stay on the main thread', async () => {
    const { checks, inPool } = await quickChecks();
    for (let index = 0; index < 10; index += 1) {
      expect(checks.check(checkOf('a'))).toBe(true);
      await nextTurn();
    }
    expect(inPool).toEqual([]);
  });

  test('have to wait after 64, so that they do not block the event loop', async () => {
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

describe('concurrent calls', () => {
  test('stay on the main thread until a trial was quick, with one trial at a time', () => {
    const { checks, onMain, inPool } = newChecks();
    for (const name of ['a', 'b', 'c']) expect(checks.check(checkOf(name))).toBe(true);
    expect(onMain).toEqual(['a', 'b', 'c']);
    expect(names(inPool)).toEqual(['b']);
  });

  test('go to the pool after a quick trial, except the first', async () => {
    const { checks, onMain, inPool } = await quickChecks();
    const results = ['a', 'b', 'bad c'].map((name) => checks.check(checkOf(name)));
    expect(results[0]).toBe(true);
    expect(onMain).toEqual(['a']);
    expect(names(inPool)).toEqual(['b', 'bad c']);
    for (const job of inPool) job.answer();
    expect(await allOf(results)).toEqual([true, true, false]);
  });

  test('include those of several callbacks in one turn of the event loop', async () => {
    const { checks, inPool } = await quickChecks();
    // Callbacks of one phase of the event loop, as for two requests.
    for (const name of ['a', 'b']) setImmediate(() => void checks.check(checkOf(name)));
    await nextTurn();
    expect(names(inPool)).toEqual(['b']);
  });

  test('settle in the order of the calls, not in that of the pool', async () => {
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

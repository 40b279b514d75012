import { expect, test } from 'vitest';
import { ConcurrencyLimit } from '../../src/kms/concurrency-limit.js';

const MAX_WAIT = 10_000;
const TOO_MANY = { name: 'KmsUnavailableError', reason: 'overloaded', retryable: true };

test('a thousand calls run in order of arrival, at most maxConcurrency at a time', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrency: 3, maxQueue: 1000 });
  const order: number[] = [];
  let [running, most] = [0, 0];
  const call = async (index: number) => {
    await limit.acquire(MAX_WAIT);
    running += 1;
    most = Math.max(most, running);
    order.push(index);
    await new Promise(setImmediate);
    running -= 1;
    limit.release();
  };
  await Promise.all(Array.from({ length: 1000 }, (_, index) => call(index)));
  expect(most).toBe(3);
  expect(order).toEqual(order.toSorted((one, other) => one - other));
});

test('a call is refused immediately when the queue is full', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrency: 1, maxQueue: 1 });
  await limit.acquire(MAX_WAIT);
  const second = limit.acquire(MAX_WAIT);
  await expect(limit.acquire(MAX_WAIT)).rejects.toMatchObject({
    ...TOO_MANY,
    message: 'No KMS call was made: maxConcurrency (1) and maxQueue (1) are exhausted',
  });
  limit.release();
  await second;
});

test('no call waits longer than maxWait', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrency: 1, maxQueue: 10 });
  await limit.acquire(MAX_WAIT);
  await expect(limit.acquire(5)).rejects.toMatchObject({
    ...TOO_MANY,
    message: 'No KMS call was made: maxConcurrency (1) is exhausted, and no slot was free within 5 ms',
  });
});

test('an aborted call frees its place in the queue, and gets no slot', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrency: 1, maxQueue: 1 });
  await limit.acquire(MAX_WAIT);
  const controller = new AbortController();
  const first = limit.acquire(MAX_WAIT, controller.signal);
  controller.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  const second = limit.acquire(MAX_WAIT);
  limit.release();
  await second;
});

test('a slot granted to a call that aborts at the same moment goes to the next call', async () => {
  const limit = new ConcurrencyLimit({ maxConcurrency: 1, maxQueue: 10 });
  await limit.acquire(MAX_WAIT);
  const controller = new AbortController();
  const first = limit.acquire(MAX_WAIT, controller.signal);
  const second = limit.acquire(MAX_WAIT);
  controller.abort(new Error('gone'));
  limit.release();
  await expect(first).rejects.toThrow('gone');
  await second;
  limit.release();
  await limit.acquire(MAX_WAIT);
});

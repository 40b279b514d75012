import { expect, test } from 'vitest';
import { Turns } from '../../src/kms/concurrency-limit.js';

const PATIENCE = 10_000;
const TOO_MANY = { name: 'KmsUnavailableError', reason: 'overloaded', retryable: true };

test('a thousand calls that wait take their turns in their order, never more than so many at a time', async () => {
  const turns = new Turns({ maxConcurrency: 3, maxQueue: 1000 });
  const order: number[] = [];
  let [running, most] = [0, 0];
  const call = async (index: number) => {
    await turns.take(PATIENCE);
    running += 1;
    most = Math.max(most, running);
    order.push(index);
    await new Promise(setImmediate);
    running -= 1;
    turns.release();
  };
  await Promise.all(Array.from({ length: 1000 }, (_, index) => call(index)));
  expect(most).toBe(3);
  expect(order).toEqual(order.toSorted((one, other) => one - other));
});

test('one too many is refused at once', async () => {
  const turns = new Turns({ maxConcurrency: 1, maxQueue: 1 });
  await turns.take(PATIENCE);
  const second = turns.take(PATIENCE);
  await expect(turns.take(PATIENCE)).rejects.toMatchObject({
    ...TOO_MANY,
    message: 'No call of KMS was made: 1 calls are under way and 1 wait',
  });
  turns.release();
  await second;
});

test('nobody waits longer than patience has it', async () => {
  const turns = new Turns({ maxConcurrency: 1, maxQueue: 10 });
  await turns.take(PATIENCE);
  await expect(turns.take(5)).rejects.toMatchObject({
    ...TOO_MANY,
    message: 'No call of KMS was made: 1 calls are under way, and none of them ended within 5 ms',
  });
});

test('whoever gives up leaves the place to others, and is passed over', async () => {
  const turns = new Turns({ maxConcurrency: 1, maxQueue: 1 });
  await turns.take(PATIENCE);
  const controller = new AbortController();
  const first = turns.take(PATIENCE, controller.signal);
  controller.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  const second = turns.take(PATIENCE);
  turns.release();
  await second;
});

test('a turn that comes in the moment in which it is given up goes to the next', async () => {
  const turns = new Turns({ maxConcurrency: 1, maxQueue: 10 });
  await turns.take(PATIENCE);
  const controller = new AbortController();
  const first = turns.take(PATIENCE, controller.signal);
  const second = turns.take(PATIENCE);
  controller.abort(new Error('gone'));
  turns.release();
  await expect(first).rejects.toThrow('gone');
  await second;
  turns.release();
  await turns.take(PATIENCE);
});

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KmsKeyError, KmsUnavailableError } from '../../src/errors.js';
import { CallLimits, type CircuitEvent } from '../../src/kms/call-limits.js';

const PAUSE = 1000;
const PATIENCE = 1500;
const away = async () => {
  throw new KmsUnavailableError('failure', 'away');
};
const answer = async () => 'answer';
const { signal } = new AbortController();

let events: CircuitEvent['type'][];
let limits: CallLimits;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  events = [];
  limits = new CallLimits({ maxConcurrency: 50, maxQueue: 1000 }, ({ type }) => events.push(type));
});
afterEach(() => vi.useRealTimers());

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'answered',
    (error: unknown) => (error instanceof KmsUnavailableError ? error.reason : error),
  );
async function open() {
  for (let call = 0; call < 10; call += 1) await reasonOf(limits.run(away, signal, PATIENCE));
  expect(limits.circuitState).toBe('open');
}

describe('the circuit', () => {
  test('opens at the tenth call in a row that is not answered', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(limits.run(away, signal, PATIENCE));
    expect(limits.circuitState).toBe('closed');
    await reasonOf(limits.run(away, signal, PATIENCE));
    expect(limits.circuitState).toBe('open');
    expect(await reasonOf(limits.run(answer, signal, PATIENCE))).toBe('circuit_open');
  });

  test('counts from the start again after every answer', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(limits.run(away, signal, PATIENCE));
    await limits.run(answer, signal, PATIENCE);
    for (let call = 0; call < 9; call += 1) await reasonOf(limits.run(away, signal, PATIENCE));
    expect(limits.circuitState).toBe('closed');
  });

  test('closes when the one call that tries after a second is answered', async () => {
    await open();
    vi.setSystemTime(Date.now() + PAUSE - 1);
    expect(await reasonOf(limits.run(answer, signal, PATIENCE))).toBe('circuit_open');
    vi.setSystemTime(Date.now() + 1);
    expect(await limits.run(answer, signal, PATIENCE)).toBe('answer');
    expect(limits.circuitState).toBe('closed');
    expect(events).toEqual(['circuit_opened', 'circuit_closed']);
  });

  test('stays open where that is not answered, for another second, and says nothing new', async () => {
    await open();
    vi.setSystemTime(Date.now() + PAUSE);
    expect(await reasonOf(limits.run(away, signal, PATIENCE))).toBe('failure');
    expect(await reasonOf(limits.run(answer, signal, PATIENCE))).toBe('circuit_open');
    expect(events).toEqual(['circuit_opened']);
  });

  test('lets one call try, and refuses all others meanwhile at once', async () => {
    await open();
    vi.setSystemTime(Date.now() + PAUSE);
    let end!: (answer: string) => void;
    const trying = limits.run(() => new Promise((resolve) => (end = resolve)), signal, PATIENCE);
    expect(await reasonOf(limits.run(answer, signal, PATIENCE))).toBe('circuit_open');
    end('answer');
    expect(await trying).toBe('answer');
    expect(await limits.run(answer, signal, PATIENCE)).toBe('answer');
  });

  test('takes a refusal of KMS for an answer', async () => {
    const refused = new KmsKeyError('disabled');
    for (let call = 0; call < 20; call += 1) {
      expect(await reasonOf(limits.run(() => Promise.reject(refused), signal, PATIENCE))).toBe(refused);
    }
    expect(limits.circuitState).toBe('closed');
  });

  test('takes a caller who gives up neither for a failure nor, where that was the one to try, for an answer', async () => {
    const gaveUp = new Error('gave up');
    const giveUp = () => Promise.reject(gaveUp);
    for (let call = 0; call < 20; call += 1) await reasonOf(limits.run(giveUp, signal, PATIENCE));
    expect(limits.circuitState).toBe('closed');

    await open();
    vi.setSystemTime(Date.now() + PAUSE);
    expect(await reasonOf(limits.run(giveUp, signal, PATIENCE))).toBe(gaveUp);
    expect(limits.circuitState).toBe('open');
  });
});

test('whose turn comes too late is refused without a call, and that says nothing of KMS', async () => {
  let now = 0;
  const one = new CallLimits(
    { maxConcurrency: 1, maxQueue: 1000 },
    () => {},
    () => now,
  );
  let end!: () => void;
  const slow = one.run(() => new Promise<void>((resolve) => (end = resolve)), signal, PATIENCE);
  const call = vi.fn(answer);
  const late = Array.from({ length: 100 }, () => reasonOf(one.run(call, signal, PATIENCE)));
  now = PATIENCE;
  const inTime = one.run(answer, signal, PATIENCE);
  now = PATIENCE + 1;
  end();
  await slow;
  expect(new Set(await Promise.all(late))).toEqual(new Set(['overloaded']));
  expect(call).not.toHaveBeenCalled();
  expect(await inTime).toBe('answer');
  expect(one.circuitState).toBe('closed');
});

test('a thousand calls that wait are made in their order, never more than so many at a time', async () => {
  const few = new CallLimits({ maxConcurrency: 3, maxQueue: 1000 });
  const order: number[] = [];
  let [running, most] = [0, 0];
  const call = (index: number) => async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    order.push(index);
  };
  await Promise.all(Array.from({ length: 1000 }, (_, index) => few.run(call(index), signal, PATIENCE)));
  expect(most).toBe(3);
  expect(order).toEqual(order.toSorted((one, other) => one - other));
});

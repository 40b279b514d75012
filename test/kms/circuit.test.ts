import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { KmsKeyError, KmsUnavailableError } from '../../src/errors/errors.js';
import { Circuit, type CircuitEvent } from '../../src/kms/circuit.js';

const OPEN_MS = 1000;
const fail = async () => {
  throw new KmsUnavailableError('failure', 'unavailable');
};
const block = async () => {
  throw new KmsUnavailableError('blocked', 'this process was blocked');
};
const answer = async () => 'answer';
const refuse = () => Promise.reject(new KmsKeyError('disabled'));

let events: CircuitEvent['type'][];
let circuit: Circuit;
let now: number;

beforeEach(() => {
  now = 0;
  events = [];
  circuit = new Circuit(
    ({ type }) => events.push(type),
    () => now,
  );
});

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'answered',
    (error: unknown) => (error instanceof KmsUnavailableError ? error.reason : error),
  );
async function open() {
  for (let call = 0; call < 10; call += 1) await reasonOf(circuit.run(fail));
  expect(circuit.state).toBe('open');
}

describe('the circuit', () => {
  test('opens at the tenth consecutive call without an answer', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(fail));
    expect(circuit.state).toBe('closed');
    await reasonOf(circuit.run(fail));
    expect(circuit.state).toBe('open');
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
  });

  test('does not count calls that failed because the event loop was blocked', async () => {
    for (let call = 0; call < 100; call += 1) expect(await reasonOf(circuit.run(block))).toBe('blocked');
    expect(circuit.state).toBe('closed');
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(fail));
    await reasonOf(circuit.run(block));
    expect(circuit.state).toBe('closed');
    await reasonOf(circuit.run(fail));
    expect(circuit.state).toBe('open');
  });

  test('stays open for another second when the event loop was blocked during the probe', async () => {
    await open();
    now += OPEN_MS;
    expect(await reasonOf(circuit.run(block))).toBe('blocked');
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    now += OPEN_MS;
    expect(await circuit.run(answer)).toBe('answer');
    expect(events).toEqual(['circuit_opened', 'circuit_closed']);
  });

  test('starts to count again after an answer', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(fail));
    await circuit.run(answer);
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(fail));
    expect(circuit.state).toBe('closed');
  });

  test('closes when the probe after a second is answered', async () => {
    await open();
    now += OPEN_MS - 1;
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    now += 1;
    expect(await circuit.run(answer)).toBe('answer');
    expect(circuit.state).toBe('closed');
    expect(events).toEqual(['circuit_opened', 'circuit_closed']);
  });

  test('stays open for another second when the probe fails, and emits no further event', async () => {
    await open();
    now += OPEN_MS;
    expect(await reasonOf(circuit.run(fail))).toBe('failure');
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    expect(events).toEqual(['circuit_opened']);
  });

  test('allows one probe, and refuses all other calls meanwhile', async () => {
    await open();
    now += OPEN_MS;
    let answerProbe!: (answer: string) => void;
    const probe = circuit.run(() => new Promise((resolve) => (answerProbe = resolve)));
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    answerProbe('answer');
    expect(await probe).toBe('answer');
    expect(await circuit.run(answer)).toBe('answer');
  });

  test('counts a refusal by KMS as an answer', async () => {
    const refused = new KmsKeyError('disabled');
    for (let call = 0; call < 20; call += 1) {
      expect(await reasonOf(circuit.run(() => Promise.reject(refused)))).toBe(refused);
    }
    expect(circuit.state).toBe('closed');
  });

  test('counts a refusal between failures as an answer, and closes on a refusal', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(fail));
    await reasonOf(circuit.run(refuse));
    await reasonOf(circuit.run(fail));
    expect(circuit.state).toBe('closed');

    await open();
    now += OPEN_MS;
    await reasonOf(circuit.run(refuse));
    await reasonOf(circuit.run(fail));
    expect(circuit.state).toBe('closed');
  });

  test('is not reopened when a call that started before it opened fails during the probe', async () => {
    let failLate!: (error: Error) => void;
    const straggler = reasonOf(circuit.run(() => new Promise((_, reject) => (failLate = reject))));
    await open();
    now += OPEN_MS;
    let answerProbe!: (answer: string) => void;
    const probe = circuit.run(() => new Promise((resolve) => (answerProbe = resolve)));
    failLate(new KmsUnavailableError('timeout', 'late'));
    expect(await straggler).toBe('timeout');
    answerProbe('answer');
    await probe;
    expect(circuit.state).toBe('closed');
    expect(await circuit.run(answer)).toBe('answer');
  });

  test('does not depend on the system clock', async () => {
    await open();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    now += OPEN_MS;
    expect(await circuit.run(answer)).toBe('answer');
    await open();
    vi.setSystemTime(Date.now() + 7_200_000);
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
  });
});

import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { KmsKeyError, KmsUnavailableError } from '../../src/errors/errors.js';
import { Circuit, type CircuitEvent } from '../../src/kms/circuit.js';

const PAUSE = 1000;
const away = async () => {
  throw new KmsUnavailableError('failure', 'away');
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
  for (let call = 0; call < 10; call += 1) await reasonOf(circuit.run(away));
  expect(circuit.state).toBe('open');
}

describe('the circuit', () => {
  test('opens at the tenth call in a row that is not answered', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(away));
    expect(circuit.state).toBe('closed');
    await reasonOf(circuit.run(away));
    expect(circuit.state).toBe('open');
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
  });

  test('counts from the start again after every answer', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(away));
    await circuit.run(answer);
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(away));
    expect(circuit.state).toBe('closed');
  });

  test('closes when the one call that tries after a second is answered', async () => {
    await open();
    now += PAUSE - 1;
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    now += 1;
    expect(await circuit.run(answer)).toBe('answer');
    expect(circuit.state).toBe('closed');
    expect(events).toEqual(['circuit_opened', 'circuit_closed']);
  });

  test('stays open where that is not answered, for another second, and says nothing new', async () => {
    await open();
    now += PAUSE;
    expect(await reasonOf(circuit.run(away))).toBe('failure');
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    expect(events).toEqual(['circuit_opened']);
  });

  test('lets one call try, and refuses all others meanwhile at once', async () => {
    await open();
    now += PAUSE;
    let end!: (answer: string) => void;
    const trying = circuit.run(() => new Promise((resolve) => (end = resolve)));
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
    end('answer');
    expect(await trying).toBe('answer');
    expect(await circuit.run(answer)).toBe('answer');
  });

  test('takes a refusal of KMS for an answer', async () => {
    const refused = new KmsKeyError('disabled');
    for (let call = 0; call < 20; call += 1) {
      expect(await reasonOf(circuit.run(() => Promise.reject(refused)))).toBe(refused);
    }
    expect(circuit.state).toBe('closed');
  });

  test('takes a refusal between failures for an answer, and closes for good by one', async () => {
    for (let call = 0; call < 9; call += 1) await reasonOf(circuit.run(away));
    await reasonOf(circuit.run(refuse));
    await reasonOf(circuit.run(away));
    expect(circuit.state).toBe('closed');

    await open();
    now += PAUSE;
    await reasonOf(circuit.run(refuse));
    await reasonOf(circuit.run(away));
    expect(circuit.state).toBe('closed');
  });

  test('is not opened again by a call of before it opened, which fails while another tries', async () => {
    let fail!: (error: Error) => void;
    const straggler = reasonOf(circuit.run(() => new Promise((_, reject) => (fail = reject))));
    await open();
    now += PAUSE;
    let end!: (answer: string) => void;
    const trying = circuit.run(() => new Promise((resolve) => (end = resolve)));
    fail(new KmsUnavailableError('timeout', 'late'));
    expect(await straggler).toBe('timeout');
    end('answer');
    await trying;
    expect(circuit.state).toBe('closed');
    expect(await circuit.run(answer)).toBe('answer');
  });

  test('knows nothing of the clock on the wall', async () => {
    await open();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    now += PAUSE;
    expect(await circuit.run(answer)).toBe('answer');
    await open();
    vi.setSystemTime(Date.now() + 7_200_000);
    expect(await reasonOf(circuit.run(answer))).toBe('circuit_open');
  });
});

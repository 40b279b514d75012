import { expect, test } from 'vitest';
import { Log } from '../src/log.js';

function newLog() {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const state = { now: 0, lines };
  return { state, log: new Log({ log: write, error: write }, () => state.now) };
}

test('an error that comes a thousand times is one line in ten seconds, with how often it came', () => {
  const { state, log } = newLog();
  for (let time = 0; time < 1000; time += 1) log.error('KMS is away');
  state.now = 9_999;
  log.error('KMS is away');
  expect(state.lines).toEqual(['KMS is away']);

  state.now = 10_000;
  log.error('KMS is away');
  expect(state.lines[1]).toBe('KMS is away (and 1000 times more since this was last said)');
});

test('another error is written at once', () => {
  const { state, log } = newLog();
  log.error('KMS is away');
  log.error('The key is disabled');
  expect(state.lines).toEqual(['KMS is away', 'The key is disabled']);
});

test('what comes once in a while is written as it is', () => {
  const { state, log } = newLog();
  log.error('KMS is away');
  state.now = 60_000;
  log.error('KMS is away');
  expect(state.lines).toEqual(['KMS is away', 'KMS is away']);
});

test('information is always written', () => {
  const { state, log } = newLog();
  log.info('The key a verifies');
  log.info('The key a verifies');
  expect(state.lines).toHaveLength(2);
});

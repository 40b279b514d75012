import { expect, test } from 'vitest';
import { Log } from '../../src/events/log.js';

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

test('information that repeats itself is as quiet', () => {
  const { state, log } = newLog();
  log.info('KMS answers again');
  log.info('KMS answers again');
  expect(state.lines).toHaveLength(1);
});

test('of many different lines the last ones are remembered', () => {
  const { state, log } = newLog();
  for (let line = 0; line < 101; line += 1) log.error(`line ${line}`);
  log.error('line 100');
  log.error('line 1');
  expect(state.lines).toHaveLength(101);
  log.error('line 0');
  expect(state.lines).toHaveLength(102);
});

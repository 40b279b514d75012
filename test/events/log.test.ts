import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, test } from 'vitest';
import { Log } from '../../src/events/log.js';

function newLog() {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const state = { now: 0, lines };
  return { state, log: new Log('default', { log: write, warn: write, error: write }, () => state.now) };
}

test('an error that repeats is logged once in ten seconds, with the number of repetitions', () => {
  const { state, log } = newLog();
  for (let time = 0; time < 1000; time += 1) log.error('KMS is unavailable');
  state.now = 9_999;
  log.error('KMS is unavailable');
  expect(state.lines).toEqual(['KMS is unavailable']);

  state.now = 10_000;
  log.error('KMS is unavailable');
  expect(state.lines[1]).toBe('KMS is unavailable (repeated 1000 times since it was last logged)');
});

test('another error is logged at once', () => {
  const { state, log } = newLog();
  log.error('KMS is unavailable');
  log.error('The key is disabled');
  expect(state.lines).toEqual(['KMS is unavailable', 'The key is disabled']);
});

test('an error that repeats after a minute is logged again without a count', () => {
  const { state, log } = newLog();
  log.error('KMS is unavailable');
  state.now = 60_000;
  log.error('KMS is unavailable');
  expect(state.lines).toEqual(['KMS is unavailable', 'KMS is unavailable']);
});

test('info that repeats is logged once', () => {
  const { state, log } = newLog();
  log.info('KMS is available again');
  log.info('KMS is available again');
  expect(state.lines).toHaveLength(1);
});

test('a warning that repeats is logged once', () => {
  const { state, log } = newLog();
  log.warn('Neither issuer nor audience is configured');
  log.warn('Neither issuer nor audience is configured');
  expect(state.lines).toHaveLength(1);
});

test('a repeated line is logged again after 100 other lines', () => {
  const { state, log } = newLog();
  for (let line = 0; line < 101; line += 1) log.error(`line ${line}`);
  log.error('line 100');
  log.error('line 1');
  expect(state.lines).toHaveLength(101);
  log.error('line 0');
  expect(state.lines).toHaveLength(102);
});

describe('two registrations', () => {
  afterEach(() => Logger.overrideLogger(false));

  test('log under their names, and a line of one does not suppress the same line of the other', () => {
    const written: [context: string, line: string][] = [];
    const write = (line: string, ...rest: string[]) => void written.push([String(rest.at(-1)), line]);
    Logger.overrideLogger({ log: write, error: write, warn: write });
    const logs = [new Log('default'), new Log('internal'), new Log('default')];
    for (const log of [...logs, ...logs]) log.error('KMS is unavailable');
    expect(written).toEqual([
      ['KmsJwt', 'KMS is unavailable'],
      ['KmsJwt:internal', 'KMS is unavailable'],
      ['KmsJwt', 'KMS is unavailable'],
    ]);
  });
});

import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DAY, HOUR, type Instance, MINUTE, pass, published, Simulation } from './simulation.js';

/** The time from a move until the new key signs everywhere, in seconds. */
const ROTATION = 330 + 990;

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await simulation.stop();
});

const setWallClock = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const kid = (index: number) => simulation.keyId(index);
const stepsOf = ({ events }: Instance) => events.filter(({ type }) => type === 'clock_stepped');

test('no retired key is removed while the wall clock is a day ahead', async () => {
  const instance = await simulation.start({ signOptions: { expiresIn: '1h' } });
  const token = await instance.jwt.sign({ sub: 'user-42' });
  await simulation.moveAlias(1);
  await pass(ROTATION);
  expect(instance.jwt.health().signing).toBe(kid(1));

  setWallClock(DAY);
  await pass(MINUTE);
  expect(await published(instance)).toEqual([kid(1), kid(0)]);
  setWallClock(-DAY);
  await pass(MINUTE);
  expect(await published(instance)).toEqual([kid(1), kid(0)]);
  await expect(instance.jwt.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
  await pass(3 * HOUR);
  expect(await published(instance)).toEqual([kid(1)]);
});

test('the next key does not sign earlier when the wall clock is a day ahead', async () => {
  const { jwt } = await simulation.start();
  await simulation.moveAlias(1);
  await pass(330);
  expect(jwt.health()).toMatchObject({ signing: kid(0), keys: [kid(0), kid(1)] });
  setWallClock(DAY);
  await expect(jwt.sign({})).rejects.toMatchObject({ reason: 'alias_moved' });
  await pass(MINUTE);
  setWallClock(-DAY);
  await pass(1);
  const { header } = jwt.decode(await jwt.sign({}), { complete: true });
  expect(header.kid).toBe(kid(0));
});

test('a step ahead causes an event, a warning and a lookup of the alias', async () => {
  const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
  const instance = await simulation.start();
  await pass(1);
  simulation.localKms.resetCalls();
  setWallClock(DAY);
  await instance.jwt.sign({});
  expect(simulation.localKms.calls).toMatchObject({ GetPublicKey: 1, Sign: 1 });
  expect(stepsOf(instance)).toEqual([{ type: 'clock_stepped', seconds: DAY, suspended: 0 }]);
  const line = `A clock jumped ahead by ${DAY} seconds: it was set, or this machine was suspended; the keys are looked up again`;
  expect(warn.mock.calls.filter(([text]) => String(text).includes('clock'))).toEqual([[line]]);
});

test('a step back causes an event and a warning, and no lookup', async () => {
  const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
  const instance = await simulation.start();
  await pass(1);
  simulation.localKms.resetCalls();
  setWallClock(-HOUR);
  await instance.jwt.sign({});
  expect(simulation.localKms.calls).toMatchObject({ GetPublicKey: 0, Sign: 1 });
  expect(stepsOf(instance)).toEqual([{ type: 'clock_stepped', seconds: -HOUR, suspended: 0 }]);
  const line = `The wall clock was set back by ${HOUR} seconds`;
  expect(warn.mock.calls.filter(([text]) => String(text).includes('clock'))).toEqual([[line]]);
});

import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOUR, now, pass, published, Simulation, storeInMemory, WEEK } from './simulation.js';

/** The time until an instance sees a move, in seconds. */
const LAG = 1.1 * HOUR;

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

test('an instance that has signed nothing keeps the old key for the lifetime of the tokens of other instances', async () => {
  const { store, stored } = storeInMemory();
  const instance = await simulation.start({
    signOptions: { expiresIn: '7d' },
    rotation: { refreshInterval: HOUR, activationDelay: 0, store },
  });
  const token = await simulation.steal(0, { sub: 'user-42', exp: now() + WEEK });
  await simulation.moveAlias(1);
  await pass(LAG);
  expect(stored.ring?.retired[0]?.jwk.kid).toBe(simulation.keyId(0));
  await pass(WEEK - LAG - 1);
  await expect(instance.jwt.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
  await pass(LAG + LAG + 1);
  expect(await published(instance)).toEqual([simulation.keyId(1)]);
});

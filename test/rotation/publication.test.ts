import { afterEach, beforeEach, expect, test } from 'vitest';
import { pass, published, Simulation, storeInMemory } from './simulation.js';

const REFRESH = 330;
const ACTIVATION = 990;

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

const signing = async (jwt: { health(): { signing?: string } }) => jwt.health().signing;

test.each([
  ['without a store', () => ({})],
  ['with a store', () => ({ store: storeInMemory().store })],
])('a key that was in verificationKeys for a second waits for activationDelay, %s', async (_, more) => {
  const options = more();
  const before = await simulation.start({ rotation: options });
  await before.stop();
  const { jwt } = await simulation.start({ rotation: { ...options, verificationKeys: ['alias/next'] } });
  await pass(1);
  await simulation.moveAlias(1);
  await pass(REFRESH);
  expect(await signing(jwt)).toBe(simulation.keyId(0));
  await pass(ACTIVATION - REFRESH - 10);
  expect(await signing(jwt)).toBe(simulation.keyId(0));
  await pass(REFRESH);
  expect(await signing(jwt)).toBe(simulation.keyId(1));
});

test('a key that was in verificationKeys for activationDelay signs as soon as an instance sees the move', async () => {
  const instance = await simulation.start({ rotation: { verificationKeys: ['alias/next'] } });
  expect(await published(instance)).toHaveLength(2);
  await pass(ACTIVATION);
  await simulation.moveAlias(1);
  await pass(REFRESH);
  expect(await signing(instance.jwt)).toBe(simulation.keyId(1));
});

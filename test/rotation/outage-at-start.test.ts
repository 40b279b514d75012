import { afterEach, beforeEach, expect, test } from 'vitest';
import { pass, Simulation, storeInMemory, WEEK } from './simulation.js';

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

test('with an old store and an outage of KMS at start, sign fails with kms_unavailable until KMS is available', async () => {
  const { store } = storeInMemory();
  const before = await simulation.start({ rotation: { store } });
  const token = await before.jwt.sign({ sub: 'user-42' }, { expiresIn: 2 * WEEK });
  await before.stop();

  await pass(WEEK);
  const outage = simulation.localKms.inject({ kind: 'drop' });
  const after = await simulation.start({ rotation: { store } });
  await expect(after.jwt.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
  await expect(after.jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'network' });
  await expect(after.jwt.sign({})).rejects.toMatchObject({ code: 'kms_unavailable' });

  outage.stop();
  await expect(after.jwt.sign({ sub: 'user-43' })).resolves.toBeDefined();
  await pass(30);
  expect(after.jwt.health()).toMatchObject({ signing: simulation.keyId(0), refresh: 'ok' });
});

test('many calls of sign during an outage at start make no more calls to KMS than usual', async () => {
  const { store } = storeInMemory();
  const before = await simulation.start({ rotation: { store } });
  await before.stop();
  await pass(WEEK);
  simulation.localKms.inject({ kind: 'drop' });
  const after = await simulation.start({ rotation: { store } });
  simulation.localKms.resetCalls();
  const results = await Promise.allSettled(Array.from({ length: 100 }, () => after.jwt.sign({})));
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
  expect(simulation.localKms.calls.GetPublicKey).toBe(0);
  expect(simulation.localKms.calls.Sign).toBeLessThanOrEqual(50);
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fleet, type Instance } from './fleet.js';

const POLL = { timeout: 10_000, interval: 20 };

let fleet: Fleet;

beforeEach(async () => {
  fleet = await Fleet.start(4);
});
afterEach(() => fleet.stop());

const happened = (instance: Instance, type: string, kid?: string) =>
  instance.events.some(
    (event) => event.type === type && (kid === undefined || Reflect.get(event, 'kid') === kid),
  );
const everywhere = (type: string, kid?: string) =>
  expect.poll(() => fleet.instances.every((instance) => happened(instance, type, kid)), POLL).toBe(true);
const settled = () => everywhere('key_activated', fleet.kid('new'));
const trafficSince = (verified: number) =>
  expect.poll(() => fleet.verified, POLL).toBeGreaterThan(verified + 200);

/** The requirements for every rotation. */
async function expectFlawlessRotation(): Promise<void> {
  await fleet.endTraffic();
  expect(fleet.failures).toEqual([]);
  expect(fleet.signed).toBeGreaterThan(200);
  for (const instance of fleet.instances) {
    expect(instance.kids).toEqual([fleet.kid('old'), fleet.kid('new')]);
    expect(await fleet.published(instance)).toEqual([fleet.kid('new'), fleet.kid('old')]);
  }
}

describe('4 instances sign and verify at full speed while the alias moves', () => {
  test(
    'no token is refused, no request fails, and each instance changes its kid once',
    { timeout: 15_000 },
    async () => {
      await trafficSince(0);
      await fleet.moveAlias();
      await everywhere('key_published', fleet.kid('new'));
      for (const instance of fleet.instances) {
        expect(await fleet.published(instance)).toEqual([fleet.kid('old'), fleet.kid('new')]);
      }
      await settled();
      await trafficSince(fleet.verified);
      await expectFlawlessRotation();
      expect(fleet.instances.map(({ unsigned }) => unsigned)).toEqual([0, 0, 0, 0]);
    },
  );

  test.each([
    ['the publication of the new key', 'key_published'],
    ['the activation of the new key', 'key_activated'],
  ])(
    'no token is refused when one instance is restarted after %s',
    { timeout: 15_000 },
    async (_, moment) => {
      const instance = fleet.instances[2] as Instance;
      await trafficSince(0);
      await fleet.moveAlias();
      await expect.poll(() => happened(instance, moment, fleet.kid('new')), POLL).toBe(true);
      await fleet.restart(2);
      expect(await fleet.published(instance)).toHaveLength(2);
      await settled();
      await trafficSince(fleet.verified);
      await expectFlawlessRotation();
      expect(fleet.instances.map(({ unsigned }) => unsigned)).toEqual([0, 0, 0, 0]);
    },
  );

  test(
    'no token is refused during an outage of KMS, in which only sign fails',
    { timeout: 15_000 },
    async () => {
      await trafficSince(0);
      const noKeys = fleet.localKms.inject({ kind: 'drop', operation: 'GetPublicKey' });
      await fleet.moveAlias();
      await everywhere('refresh_failed');
      expect(fleet.instances.map(({ unsigned }) => unsigned)).toEqual([0, 0, 0, 0]);

      const nothing = fleet.localKms.inject({ kind: 'drop' });
      await expect.poll(() => fleet.instances.every(({ unsigned }) => unsigned > 0), POLL).toBe(true);
      await trafficSince(fleet.verified);
      nothing.stop();
      noKeys.stop();

      await everywhere('refresh_recovered');
      await settled();
      await trafficSince(fleet.verified);
      await expectFlawlessRotation();
    },
  );
});

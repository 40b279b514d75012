import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pass, published, Simulation, storeInMemory } from './simulation.js';

const REFUSED = { name: 'KmsJwtOptionsError', option: 'rotation.store' };

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

const otherKms = (accountId: string, region = 'us-east-1') =>
  new LocalKms({ keys: [{ alias: 'auth' }], accountId, region });

describe('two services with the default name that share a store', () => {
  test('do not trust each other’s keys: the second one does not start', async () => {
    const { store, stored } = storeInMemory();
    const first = await simulation.start({ rotation: { store } });
    const before = structuredClone(stored.ring);
    await expect(simulation.start({ keyId: 'alias/next', rotation: { store } })).rejects.toMatchObject(
      REFUSED,
    );
    expect(stored.ring).toEqual(before);
    await expect(first.jwt.sign({})).resolves.toBeDefined();
  });

  test('do not overwrite each other’s rings when they start at once, and report it', async () => {
    const { store, stored } = storeInMemory();
    const services = await Promise.all(
      ['alias/auth', 'alias/next'].map((keyId) => simulation.start({ keyId, rotation: { store } })),
    );
    const winner = stored.ring?.active?.jwk.kid;
    for (let round = 0; round < 5; round += 1) {
      await pass(330);
      expect(stored.ring?.active?.jwk.kid).toBe(winner);
    }
    const loser = services.find(({ jwt }) => jwt.health().signing !== winner);
    expect(loser?.events).toContainEqual({ type: 'store_failed', error: expect.objectContaining(REFUSED) });
    for (const service of services) expect(await published(service)).toHaveLength(1);
  });

  test.each([
    ['of another account', () => otherKms('111122223333')],
    ['in another Region', () => otherKms('000000000000', 'eu-west-1')],
  ])('and the same alias %s are distinguished', async (_, kms) => {
    const { store } = storeInMemory();
    await (await simulation.start({ rotation: { store } })).stop();
    await pass(60);
    const client = kms().client();
    await expect(simulation.start({ client, rotation: { store } })).rejects.toMatchObject(REFUSED);
  });

  test('and the same alias of another account are distinguished after an outage at start', async () => {
    const { store, stored } = storeInMemory();
    const first = await simulation.start({ rotation: { store } });
    const token = await first.jwt.sign({ sub: 'of the other account' });
    await first.stop();
    const before = structuredClone(stored.ring);
    const kms = otherKms('111122223333');
    const outage = kms.inject({ kind: 'drop' });
    const second = await simulation.start({ client: kms.client({ maxAttempts: 1 }), rotation: { store } });
    outage.stop();
    await pass(34);
    expect(second.jwt.health().keys).toEqual([]);
    await expect(second.jwt.verify(token)).rejects.toMatchObject(REFUSED);
    await expect(second.jwt.sign({})).rejects.toMatchObject(REFUSED);
    await pass(3600);
    expect(stored.ring).toEqual(before);
  });
});

test('a store of another source is refused, even if its other members are invalid', async () => {
  const { store, stored } = storeInMemory();
  const first = await simulation.start({ keyId: 'alias/next', rotation: { store } });
  await first.stop();
  Object.assign(stored.ring ?? {}, { retired: 'of a later version' });
  await expect(simulation.start({ rotation: { store } })).rejects.toMatchObject(REFUSED);
});

test('a store stays valid when the alias moves from a single-Region key to a Multi-Region key', async () => {
  const kms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'next', multiRegion: true }] });
  const { store } = storeInMemory();
  const before = await simulation.start({ client: kms.client(), rotation: { store } });
  await before.stop();
  await kms
    .client()
    .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: kms.keys[1]?.keyId }));
  const after = await simulation.start({ client: kms.client(), rotation: { store } });
  expect(await published(after)).toHaveLength(2);
});

test('a store that throws a TypeError does not count as one with invalid content', async () => {
  const { store, stored } = storeInMemory();
  await (await simulation.start({ rotation: { store, distrustedKeys: ['stolen'] } })).stop();
  const broken = { ...store, load: () => Promise.reject(new TypeError('the client is not connected')) };
  await simulation.start({ rotation: { store: broken } });
  await pass(660);
  expect(stored.ring?.distrusted).toContain('stolen');
});

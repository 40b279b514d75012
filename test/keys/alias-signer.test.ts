import { describe, expect, test } from 'vitest';
import { KmsKeyError, KmsUnavailableError } from '../../src/errors/errors.js';
import { ALIAS, newInstance } from './alias-signer.support.js';
import { A, B, newStore } from './support.js';

const OUTAGE = new KmsUnavailableError('network', 'outage');
const REFUSED = new KmsKeyError('refused');
/** How long the old key may sign after the last lookup that shows it, in seconds. */
const LIMIT = 330 + 990;

const mrkIn = (region: string) => ({
  ...A,
  kid: 'mrk-1',
  jwk: { ...A.jwk, kid: 'mrk-1' },
  keyArn: `arn:aws:kms:${region}:000000000000:key/mrk-1`,
});

/** An instance that has just signed and looked up the alias. */
async function started(options?: Parameters<typeof newInstance>[0]) {
  const instance = newInstance(options);
  await instance.sign();
  return instance;
}

/** A started instance that has seen the alias move from A to B. */
async function inRotation() {
  const instance = await started();
  instance.kms.target = B;
  await instance.pass(300);
  return instance;
}

describe('while GetPublicKey fails', () => {
  test('tokens are signed for hours, because Sign by alias shows that the alias has not moved', async () => {
    const { kms, signFor, ring } = await started();
    kms.lookupError = OUTAGE;
    expect(await signFor(4 * 3600)).toEqual([[10, 'A']]);
    expect(kms.signed).toContain(ALIAS);
    // Once whenever the last lookup has become too old.
    expect(kms.signed.filter((name) => name === ALIAS).length).toBeLessThan((4 * 3600) / 300);
    expect(ring.health).toMatchObject({ signing: 'A', refresh: 'failed', stale: false });
  });

  test('the old key signs after a move as long as other instances trust it; then sign is refused', async () => {
    const { pass, kms, signFor, ring, typesOf } = await started();
    kms.lookupError = OUTAGE;
    await pass(300);
    kms.target = B;
    expect(await signFor(LIMIT + 300)).toEqual([
      [10, 'A'],
      [LIMIT - 300, 'alias_moved'],
    ]);
    expect(typesOf().filter((type) => type === 'signing_suspended')).toHaveLength(1);
    expect(ring.health).toMatchObject({ stale: true });
    expect(ring.health.signing).toBeUndefined();

    kms.lookupError = undefined;
    expect((await signFor(10)).at(-1)).toEqual([10, 'B']);
    expect(typesOf().slice(-2)).toEqual(['key_activated', 'signing_resumed']);
  });

  test('tokens are signed throughout if the alias moves and moves back', async () => {
    const { pass, kms, sign, signFor } = await started();
    kms.lookupError = OUTAGE;
    await pass(340);
    kms.target = B;
    expect(await sign()).toBe('A');
    await pass(10);
    kms.target = A;
    expect(await signFor(2 * 3600)).toEqual([[10, 'A']]);
  });
});

test('a former key signs again once Sign shows that the alias is back, even while GetPublicKey fails', async () => {
  const { kms, pass, sign, signFor, keys } = await inRotation();
  await pass(1000);
  expect(await sign()).toBe('B');
  kms.lookupError = OUTAGE;
  kms.target = A;
  const changes = await signFor(1400);
  expect(changes.map(([, result]) => result)).toEqual(['B', 'A']);
  expect([...keys.all.keys()]).toEqual(['A', 'B']);
});

describe('after an interruption in which the alias has moved', () => {
  test('the new key signs the first token if other instances may have dropped the old one', async () => {
    const { pass, kms, sign } = await started();
    kms.lookupError = OUTAGE;
    kms.signError = () => OUTAGE;
    await pass(2390);
    kms.target = B;
    kms.lookupError = undefined;
    kms.signError = () => undefined;
    await pass(1);
    expect(await sign()).toBe('B');
  });

  test('short suspensions add up', async () => {
    const { pass, machine, kms, sign } = await started();
    kms.target = B;
    for (let total = 0; total <= LIMIT + 60; total += 5) {
      machine.freeze('suspended');
      await pass(4);
      machine.thaw();
      await pass(1);
      await sign();
    }
    expect(await sign()).toBe('B');
  });
});

describe('when KMS refuses Sign by alias', () => {
  test.each([
    ['because the alias was deleted', [ALIAS]],
    ['because the next key is disabled', [ALIAS, B.keyArn]],
  ])('%s, the old key signs by its ARN until activationDelay has passed', async (_, refused) => {
    const { kms, signFor } = await inRotation();
    kms.lookupError = REFUSED;
    kms.signError = (name) => (refused.includes(name) ? REFUSED : undefined);
    expect((await signFor(980)).map(([, result]) => result)).toEqual(['A']);
  });

  test('an active key that is disabled is replaced by the next one at once', async () => {
    const { kms, sign } = await inRotation();
    kms.signError = (name) => (name === A.keyArn ? REFUSED : undefined);
    expect(await sign()).toBe('B');
  });
});

describe('a wrong clock', () => {
  test('lets no key sign earlier: signing stops until the new key may sign', async () => {
    const { pass, machine, kms, signFor } = await started();
    await pass(100);
    kms.target = B;
    machine.step += 3_600_000;
    const changes = await signFor(1200);
    expect(changes.map(([, result]) => result)).toEqual(['alias_moved', 'B']);
    expect(changes.at(-1)?.[0]).toBeGreaterThanOrEqual(990);
  });

  test('does not stop signing if the alias has not moved', async () => {
    const { machine, kms, sign, typesOf } = await started();
    machine.step += 86_400_000;
    expect(await sign()).toBe('A');
    // One more, for the refresh that follows the step.
    expect(kms.lookups).toBe(2);
    machine.step -= 86_400_000;
    expect(await sign()).toBe('A');
    expect(typesOf().filter((type) => type === 'clock_stepped')).toHaveLength(2);
  });

  test.each(['step', 'uptimeStep'] as const)('removes no retired key: %s', async (which) => {
    const { pass, machine, keys, sign } = await inRotation();
    await pass(1000);
    expect(await sign()).toBe('B');
    machine[which] += 10 * 86_400_000;
    await sign();
    keys.applyDueChanges();
    expect([...keys.all.keys()]).toEqual(['B', 'A']);
  });
});

test('lookups are limited while sign is refused', async () => {
  const { pass, machine, kms, sign } = await inRotation();
  machine.step += 3_600_000;
  await sign();
  const before = kms.lookups;
  for (let call = 0; call < 200; call += 1) {
    await pass(0.005);
    await sign();
  }
  expect(kms.lookups - before).toBeLessThanOrEqual(5);
});

test('signing_resumed is emitted once a token has been signed', async () => {
  const { pass, machine, kms, sign, typesOf } = await inRotation();
  machine.step += 3_600_000;
  expect(await sign()).toBe('alias_moved');
  kms.signError = () => OUTAGE;
  await pass(1000);
  expect(await sign()).toBe('network');
  expect(typesOf()).not.toContain('signing_resumed');
  kms.signError = () => undefined;
  expect(await sign()).toBe('B');
  expect(typesOf().at(-1)).toBe('signing_resumed');
});

describe('after a restart with a store', () => {
  test('the last lookup by Sign counts', async () => {
    const { store } = newStore();
    const before = await started({ store });
    before.kms.lookupError = OUTAGE;
    await before.signFor(3600);
    await before.ring.stop();
    const after = newInstance({ store, machine: before.machine });
    after.kms.target = B;
    expect(await after.sign()).toBe('A');
  });

  test('a Multi-Region key signs by its ARN in this Region', async () => {
    const { store } = newStore();
    const before = newInstance({ store });
    before.kms.target = mrkIn('us-east-1');
    await before.sign();
    await before.ring.stop();
    const after = newInstance({ store });
    after.kms.target = mrkIn('eu-west-1');
    await after.sign();
    expect(after.kms.signed).toEqual([mrkIn('eu-west-1').keyArn]);
  });
});

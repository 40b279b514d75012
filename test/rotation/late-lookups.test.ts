import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUR, type Instance, MINUTE, pass, Simulation } from './simulation.js';

/** The longest time between two lookups of an instance, in seconds. */
const LOOKUP_INTERVAL = 330;
/** The default of `rotation.activationDelay`. */
const ACTIVATION = 990;
/** The time until an open circuit allows a probe, in seconds. */
const UNTIL_PROBE = 2;

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

const noPublicKeys = () => simulation.localKms.inject({ kind: 'drop', operation: 'GetPublicKey' });
function disconnect(): () => void {
  const operations = ['GetPublicKey', 'Sign'] as const;
  const faults = operations.map((operation) => simulation.localKms.inject({ kind: 'drop', operation }));
  return () => faults.forEach((fault) => fault.stop());
}
const signer = async ({ jwt }: Instance) => jwt.decode(await jwt.sign({}), { complete: true }).header.kid;
const types = ({ events }: Instance) => events.map(({ type }) => type);
const SUSPENDED = { name: 'KmsUnavailableError', code: 'kms_unavailable', reason: 'alias_moved' };

describe('while only GetPublicKey fails', () => {
  test('tokens are signed for hours, with one call of Sign each', async () => {
    const instance = await simulation.start();
    noPublicKeys();
    for (let minute = 0; minute < 3 * 60; minute += 1) {
      await pass(MINUTE);
      const { Sign } = simulation.localKms.calls;
      expect(await signer(instance)).toBe(simulation.keyId(0));
      expect(simulation.localKms.calls.Sign).toBe(Sign + 1);
    }
    expect(types(instance)).not.toContain('signing_suspended');
    expect(instance.jwt.health()).toMatchObject({
      signing: simulation.keyId(0),
      refresh: 'failed',
      stale: false,
    });
  });

  test('a token is signed at once after a long pause, because failed lookups do not open the circuit', async () => {
    const instance = await simulation.start();
    noPublicKeys();
    for (let round = 0; round < 60; round += 1) {
      await pass(30);
      // Right after a failed lookup.
      if (round >= 20) expect(await signer(instance)).toBe(simulation.keyId(0));
    }
    await pass(2 * HOUR);
    expect(await signer(instance)).toBe(simulation.keyId(0));
    expect(types(instance)).not.toContain('circuit_opened');
  });

  test('the keys are stale until the next signature shows that the alias has not moved', async () => {
    const { jwt } = await simulation.start();
    noPublicKeys();
    await pass(LOOKUP_INTERVAL - 1);
    expect(jwt.health().stale).toBe(false);
    await pass(2);
    expect(jwt.health()).toMatchObject({ stale: true, signing: simulation.keyId(0) });
    await jwt.sign({});
    expect(jwt.health().stale).toBe(false);
  });

  test('the old key signs after a move until other instances have stopped signing with it, and then no key signs', async () => {
    const instance = await simulation.start();
    const { jwt } = instance;
    const outage = noPublicKeys();
    await pass(LOOKUP_INTERVAL + 1);
    await jwt.sign({});
    // That call was a lookup: until the next one is due, Sign is sent by ARN.
    await simulation.moveAlias(1);
    for (let second = 0; second < LOOKUP_INTERVAL + ACTIVATION - 90; second += 90) {
      await pass(90);
      expect(await signer(instance)).toBe(simulation.keyId(0));
    }
    expect(jwt.health()).toMatchObject({ stale: true, signing: simulation.keyId(0) });
    await pass(91);
    await expect(jwt.sign({})).rejects.toMatchObject(SUSPENDED);
    await expect(jwt.sign({})).rejects.toMatchObject(SUSPENDED);
    expect(types(instance).filter((type) => type === 'signing_suspended')).toHaveLength(1);
    expect(jwt.health()).toMatchObject({ stale: true, refresh: 'failed' });
    expect(jwt.health()).not.toHaveProperty('signing');

    outage.stop();
    await pass(1);
    expect(await signer(instance)).toBe(simulation.keyId(1));
    expect(instance.events).toContainEqual({ type: 'signing_resumed', kid: simulation.keyId(1) });
    expect(jwt.health()).toMatchObject({ stale: false, refresh: 'ok', signing: simulation.keyId(1) });
  });

  test('a key given by its id signs, and is never stale', async () => {
    const instance = await simulation.start({ keyId: simulation.keyId(0) });
    noPublicKeys();
    await pass(5 * HOUR);
    simulation.localKms.resetCalls();
    expect(await signer(instance)).toBe(simulation.keyId(0));
    expect(simulation.localKms.calls).toMatchObject({ Sign: 1, GetPublicKey: 0 });
    expect(instance.jwt.health()).toMatchObject({ stale: false, signing: simulation.keyId(0) });
  });

  test('each signature is a lookup with requestAlias', async () => {
    const instance = await simulation.start({ requestAlias: true });
    noPublicKeys();
    for (let minute = 0; minute < 60; minute += 1) {
      await pass(MINUTE);
      expect(await signer(instance)).toBe(simulation.keyId(0));
      expect(instance.jwt.health().stale).toBe(false);
    }
  });
});

describe('an instance without access to KMS while the alias moved to a distrusted key', () => {
  test('signs with the new key at once after a second move, because other instances have retired the old one', async () => {
    const instance = await simulation.start({ rotation: { distrustedKeys: [simulation.keyId(2)] } });
    const { jwt } = instance;
    const reconnect = disconnect();
    await pass(HOUR);
    await simulation.moveAlias(2);
    reconnect();
    await pass(2 * LOOKUP_INTERVAL);
    await expect(jwt.sign({})).rejects.toMatchObject({ message: expect.stringMatching(/is distrusted/) });
    expect(jwt.health()).toMatchObject({ stale: false, refresh: 'ok' });

    await simulation.moveAlias(1);
    await pass(LOOKUP_INTERVAL);
    expect(await signer(instance)).toBe(simulation.keyId(1));
  });

  test('signs with its key again after the alias has moved back', async () => {
    const instance = await simulation.start({ rotation: { distrustedKeys: [simulation.keyId(2)] } });
    const reconnect = disconnect();
    await pass(HOUR);
    await simulation.moveAlias(2);
    reconnect();
    await pass(LOOKUP_INTERVAL);
    await simulation.moveAlias(0);
    await pass(LOOKUP_INTERVAL);
    expect(await signer(instance)).toBe(simulation.keyId(0));
    await pass(HOUR);
    expect(await signer(instance)).toBe(simulation.keyId(0));
  });
});

test('an instance that saw the move to a distrusted key in time waits for the whole activationDelay after the next move', async () => {
  const instance = await simulation.start({ rotation: { distrustedKeys: [simulation.keyId(2)] } });
  await simulation.moveAlias(2);
  await pass(2 * HOUR);
  await simulation.moveAlias(1);
  await pass(LOOKUP_INTERVAL);
  expect(await signer(instance)).toBe(simulation.keyId(0));
  await pass(ACTIVATION);
  expect(await signer(instance)).toBe(simulation.keyId(1));
});

describe('when the alias moves while KMS is unreachable', () => {
  test('for 40 minutes, the new key signs the first token after that', async () => {
    const instance = await simulation.start();
    const end = disconnect();
    await pass(MINUTE);
    await simulation.moveAlias(1);
    await pass(39 * MINUTE);
    await expect(instance.jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError' });
    end();
    await pass(UNTIL_PROBE);
    expect(await signer(instance)).toBe(simulation.keyId(1));
    expect(instance.jwt.health()).toMatchObject({ stale: false, signing: simulation.keyId(1) });
  });

  test('for a short time, the new key waits for activationDelay', async () => {
    const instance = await simulation.start();
    const end = disconnect();
    await simulation.moveAlias(1);
    await pass(LOOKUP_INTERVAL - 60);
    end();
    await pass(60);
    expect(await signer(instance)).toBe(simulation.keyId(0));
    await pass(ACTIVATION - 60);
    expect(await signer(instance)).toBe(simulation.keyId(0));
    await pass(LOOKUP_INTERVAL);
    expect(await signer(instance)).toBe(simulation.keyId(1));
  });
});

test('the key of a deleted alias signs by its ARN until activationDelay has passed', async () => {
  const instance = await simulation.start();
  await simulation.deleteAlias();
  await pass(LOOKUP_INTERVAL + ACTIVATION - 1);
  expect(await signer(instance)).toBe(simulation.keyId(0));
  await pass(2);
  await expect(instance.jwt.sign({})).rejects.toMatchObject({ name: 'KmsKeyError' });
});

test('the key of an alias that the role may not use signs by its ARN until activationDelay has passed', async () => {
  const instance = await simulation.start();
  simulation.localKms.inject({ kind: 'error', name: 'AccessDeniedException', operation: 'GetPublicKey' });
  await pass(LOOKUP_INTERVAL + 1);
  simulation.localKms.inject({ kind: 'error', name: 'AccessDeniedException', operation: 'Sign', times: 1 });
  simulation.localKms.resetCalls();
  expect(await signer(instance)).toBe(simulation.keyId(0));
  expect(simulation.localKms.calls.Sign).toBe(2);
  await pass(ACTIVATION);
  simulation.localKms.inject({ kind: 'error', name: 'AccessDeniedException', operation: 'Sign' });
  await expect(instance.jwt.sign({})).rejects.toMatchObject({ name: 'KmsAccessDeniedError' });
});

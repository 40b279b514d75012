import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { thumbprint } from '../../src/jwt/jwk.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import { A, alias, B, C, newRing, newStore, OUTAGE, seconds } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

const fixed = (signing: SigningKey, ...others: SigningKey[]) => ({ signing, others });
const renamed = (key: SigningKey, kid: string): SigningKey => ({ ...key, kid, jwk: { ...key.jwk, kid } });

describe('a distrusted key', () => {
  test.each([
    ['kid', ['C']],
    ['thumbprint', [thumbprint(C.jwk)]],
  ])('named by its %s is in no key set', async (_, distrustedKeys) => {
    const { ring, kids, events } = newRing([alias(A, C)], { distrustedKeys });
    expect(await kids()).toEqual(['A']);
    expect(await ring.find('C')).toBeUndefined();
    expect(events).toContain('key_distrusted C');
  });

  test('does not come back under another kid', async () => {
    const { kids } = newRing([alias(A, renamed(C, 'again'), C)], { distrustedKeys: ['C'] });
    expect(await kids()).toEqual(['A']);
  });

  test('does not come back under another kid from a store after a restart', async () => {
    const { store } = newStore();
    const first = newRing([alias(A, C)], { distrustedKeys: ['C'], store });
    await first.kids();
    await first.ring.stop();
    const second = newRing([alias(A, renamed(C, 'again'))], { store });
    expect(await second.kids()).toEqual(['A']);
  });

  test('does not hide a trusted key with the same kid', async () => {
    const distrustedKeys = [thumbprint(C.jwk)];
    const { ring } = newRing([alias(A, C), alias(A, renamed(B, 'C'))], { distrustedKeys });
    await ring.active();
    await seconds(300);
    expect(await ring.find('C')).toMatchObject({ thumbprint: B.thumbprint });
  });

  test('triggers no refresh, and its tokens are refused during an outage', async () => {
    const { ring, state } = newRing([alias(A, C), OUTAGE], { distrustedKeys: ['C'] });
    await ring.active();
    await seconds(300);
    expect(ring.health.refresh).toBe('failed');
    const { loads } = state;
    for (let count = 0; count < 100; count += 1) expect(await ring.find('C')).toBeUndefined();
    expect(state.loads).toBe(loads);
  });

  test('that was active is replaced by the next key at once', async () => {
    const { store, saved } = newStore();
    const first = newRing([alias(A), alias(B)], { store });
    await first.ring.active();
    await seconds(300);
    await first.ring.stop();
    expect(saved.at(-1)).toMatchObject({ active: { jwk: { kid: 'A' } }, next: { jwk: { kid: 'B' } } });
    const second = newRing([alias(B)], { store, distrustedKeys: ['A'] });
    expect(await second.ring.active()).toMatchObject({ kid: 'B' });
    expect(await second.kids()).toEqual(['B']);
    expect(second.events).toEqual(['key_distrusted A', 'key_removed A', 'key_activated B']);
  });
});

describe('a distrusted key at the alias', () => {
  const error = { name: 'KmsKeyError', code: 'kms_key_invalid' };

  test('stops the start, and the store is not written', async () => {
    const { store, saved } = newStore({ active: { keyArn: A.keyArn, jwk: A.jwk }, retired: [] });
    const { ring } = newRing([alias(B)], { store, distrustedKeys: ['B'] });
    await expect(ring.all()).rejects.toMatchObject(error);
    await seconds(1);
    expect(saved).toEqual([]);
    await expect(ring.active()).rejects.toMatchObject(error);
  });

  test('stops signing while the alias points to it; other keys still verify', async () => {
    const { ring, events, kids } = newRing([alias(A), alias(B), alias(A)], { distrustedKeys: ['B'] });
    await ring.active();
    await seconds(300);
    expect(events.at(-1)).toMatch(/^refresh_failed .*distrusted.*move the alias to another key/);
    await expect(ring.active()).rejects.toMatchObject(error);
    expect(ring.health).not.toHaveProperty('signing');
    expect(await kids()).toEqual(['A']);
    await seconds(300);
    expect(await ring.active()).toBe(A);
    expect(ring.health.signing).toBe('A');
  });
});

describe('a distrusted key of one instance', () => {
  test.each([
    ['an alias', alias],
    ['a fixed key', fixed],
  ])('is distrusted by another with %s at its next refresh, through their store', async (_, keys) => {
    const { store } = newStore();
    const second = newRing([keys(A, C)], { store });
    expect(await second.kids()).toEqual(['A', 'C']);
    await seconds(1);
    const first = newRing([keys(A, C)], { store, distrustedKeys: ['C'] });
    await first.kids();
    await seconds(330);
    expect(await second.kids()).toEqual(['A']);
    expect(second.events).toContain('key_removed C');
  });

  test('is distrusted by another whose source is unavailable', async () => {
    const { store } = newStore();
    const second = newRing([alias(A, C), OUTAGE], { store });
    await second.kids();
    await seconds(1);
    const first = newRing([alias(A)], { store, distrustedKeys: ['A', 'C'] });
    await expect(first.kids()).rejects.toMatchObject({ name: 'KmsKeyError' });
    const third = newRing([alias(B)], { store, distrustedKeys: ['A', 'C'] });
    await third.kids();
    await seconds(330);
    expect(await second.kids()).toEqual([]);
    await expect(second.ring.active()).rejects.toThrow('outage');
  });

  test('stays in the store when another instance writes before it reads', async () => {
    const { store, saved } = newStore();
    const second = newRing([alias(A, C), alias(B, C)], { store });
    await second.kids();
    await seconds(310);
    const first = newRing([alias(A, C)], { store, distrustedKeys: ['C'] });
    await first.kids();
    await seconds(60);
    expect(second.events).toContain('key_activated B');
    expect(saved.at(-1)).toMatchObject({ active: { jwk: { kid: 'B' } } });
    expect(saved.at(-1)?.distrusted).toEqual(expect.arrayContaining(['C', thumbprint(C.jwk)]));
  });

  test('stays distrusted when the store later belongs to another instance, which is reported', async () => {
    const { store } = newStore();
    const { ring, events, kids } = newRing([alias(A, C), alias(A, B, C)], { store, distrustedKeys: ['C'] });
    await kids();
    await seconds(1);
    const load = vi.spyOn(store, 'load');
    load.mockResolvedValue({
      instance: 'other',
      source: 'alias/auth',
      lookedUpAt: 0,
      retired: [],
      published: [],
      distrusted: [],
    });
    const save = vi.spyOn(store, 'save');
    await seconds(330);
    expect(await kids()).toEqual(['A', 'B']);
    expect(events).toContainEqual(
      expect.stringMatching(/^store_failed .*belongs to a registration with another name or keyId/),
    );
    expect(save).not.toHaveBeenCalled();
    expect((await ring.active()).kid).toBe('A');
  });
});

test('a service that only verifies distrusts keys, too', async () => {
  const { kids } = newRing([{ others: [A, C], freshFor: 300 }], { distrustedKeys: ['C'] });
  expect(await kids()).toEqual(['A']);
});

test('the distrusted keys in a store with an invalid key apply and are kept', async () => {
  const invalid = { jwk: { kid: 'X' }, leftAt: 0 };
  const { store, saved } = newStore({ retired: [invalid], distrusted: ['B', 7] });
  const { ring, kids } = newRing([alias(A, B)], { store });
  expect(await kids()).toEqual(['A']);
  await ring.stop();
  expect(saved.at(-1)?.distrusted).toContain('B');
});

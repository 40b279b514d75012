import { describe, expect, test } from 'vitest';
import type { IssuerSettings } from '../../src/options/read-issuers.js';
import { FoundIssuers, type IssuerSource } from '../../src/service/found-issuers.js';
import { errorOf, mismatch } from './issuers.support.js';

const SECOND = 1000;
const SETTINGS = { maxIssuers: 1000, refreshInterval: 300, maxStale: 86_400, timeout: 50 };
const IDLE = 330 * SECOND;

const recordOf = (iss: string, name = iss) => ({ issuer: iss, name }) as IssuerSettings;

/** Issuers and clocks that the test controls. */
function startWith(settings: Partial<typeof SETTINGS> = {}) {
  const state = {
    asked: [] as string[],
    ended: [] as string[],
    opened: [] as string[],
    failures: [] as string[],
    unknown: new Set<string>(),
    /** One name for all issuers; undefined for separate names. */
    name: undefined as string | undefined,
    error: undefined as Error | undefined,
    openError: undefined as Error | undefined,
    /** Resolves the held lookups. */
    release: undefined as (() => void) | undefined,
    held: undefined as Promise<void> | undefined,
  };
  const hold = () => {
    state.held = new Promise((resolve) => (state.release = resolve));
  };
  const time = { wall: 0, monotonic: 0, uptime: 0 };
  const clock = {
    now: () => time.wall,
    monotonic: () => time.monotonic,
    uptime: () => time.uptime,
    schedule: () => () => {},
  };
  const finder = {
    lookUp: async (iss: string) => {
      state.asked.push(iss);
      await state.held;
      if (state.error) throw state.error;
      return state.unknown.has(iss) ? undefined : recordOf(iss, state.name);
    },
    open: async (issuer: IssuerSettings) => {
      if (state.openError) throw state.openError;
      state.opened.push(issuer.issuer);
      const ring = { stop: async () => {} } as IssuerSource['ring'];
      const end = async () => void state.ended.push(issuer.issuer);
      return { name: issuer.name, issuer, ring, end } as IssuerSource;
    },
    onFailure: ({ message }: Error) => void state.failures.push(message),
  };
  const found = new FoundIssuers(finder, { ...SETTINGS, ...settings }, clock);
  const pass = (milliseconds: number) => {
    for (const name of ['wall', 'monotonic', 'uptime'] as const) time[name] += milliseconds;
  };
  return { found, state, time, pass, hold };
}

/** Waits until pending work that needs no timer has settled. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const select = (found: FoundIssuers, iss: string) =>
  errorOf(Promise.resolve(iss).then((one) => found.select(one)));

describe('a known issuer', () => {
  test('is used without a wait for 300 seconds after its lookup', async () => {
    const { found, state, pass } = startWith();
    await found.select('a');
    pass(300 * SECOND - 1);
    expect(found.select('a')).toMatchObject({ name: 'a' });
    expect(state.asked).toEqual(['a']);
  });

  test('is then looked up in the background, once for all calls', async () => {
    const { found, state, pass } = startWith();
    await found.select('a');
    pass(300 * SECOND);
    for (let n = 0; n < 10; n += 1) expect(found.select('a')).toMatchObject({ name: 'a' });
    await settled();
    expect(found.select('a')).toMatchObject({ name: 'a' });
    expect([state.asked, state.opened]).toEqual([['a', 'a'], ['a']]);
  });

  test('that is no longer returned is refused at once', async () => {
    const { found, state, pass } = startWith();
    await found.select('a');
    state.unknown.add('a');
    pass(300 * SECOND);
    expect(found.select('a')).toMatchObject({ name: 'a' });
    await settled();
    expect(() => found.select('a')).toThrow(/iss claim does not match/);
    expect([state.asked, state.ended]).toEqual([['a', 'a'], ['a']]);
    expect([found.hasEnded('a'), found.hasEnded('b')]).toEqual([true, false]);
    expect(found.sources).toEqual([]);
  });

  test('that was not used for 330 seconds is looked up before its next token is accepted', async () => {
    const { found, state, pass, hold } = startWith();
    await found.select('a');
    state.unknown.add('a');
    pass(IDLE);
    hold();
    const waiting = [select(found, 'a'), select(found, 'a')];
    await settled();
    state.release?.();
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject(mismatch('iss'));
    expect(state.asked).toEqual(['a', 'a']);
  });

  test.each<[string, Partial<Record<'wall' | 'monotonic' | 'uptime', number>>]>([
    ['the wall clock and uptime show', { wall: IDLE, uptime: IDLE }],
    ['only the wall clock shows', { wall: IDLE }],
  ])('is looked up first after a suspension that %s', async (_, jump) => {
    const { found, state, time } = startWith();
    await found.select('a');
    state.unknown.add('a');
    time.wall += jump.wall ?? 0;
    time.uptime += jump.uptime ?? 0;
    expect(await select(found, 'a')).toMatchObject(mismatch('iss'));
  });
});

test('one of two new issuers with the same name is accepted when both are looked up at the same time', async () => {
  const { found, state } = startWith();
  state.name = 'tenant';
  const errors = await Promise.all([select(found, 'a'), select(found, 'b')]);
  expect(errors).toEqual([
    undefined,
    expect.objectContaining({
      name: 'KmsJwtOptionsError',
      message: expect.stringContaining('issuers().name') as string,
    }),
  ]);
  expect([state.opened, found.sources.length]).toEqual([['a'], 1]);
});

test('a name is free again if its issuer could not be opened', async () => {
  const { found, state } = startWith();
  state.name = 'tenant';
  state.openError = new Error('no algorithm');
  expect(await select(found, 'a')).toMatchObject({ message: 'no algorithm' });
  state.openError = undefined;
  expect(await select(found, 'b')).toBeUndefined();
});

test('the function is not called after shutdown', async () => {
  const { found, state, pass } = startWith();
  await found.select('a');
  await found.stop();
  pass(IDLE);
  expect(found.select('a')).toMatchObject({ name: 'a' });
  expect(state.asked).toEqual(['a']);
});

describe('while the function fails', () => {
  test('a known issuer is accepted without a wait, and looked up every 30 seconds', async () => {
    const { found, state, pass } = startWith();
    await found.select('a');
    state.error = new Error('down');
    pass(IDLE);
    expect(await found.select('a')).toMatchObject({ name: 'a' });
    expect([state.asked.length, state.failures]).toEqual([2, ['down']]);
    for (let attempt = 3; attempt < 6; attempt += 1) {
      pass(30 * SECOND - 1);
      expect(found.select('a')).toMatchObject({ name: 'a' });
      expect(state.asked).toHaveLength(attempt - 1);
      pass(1);
      expect(found.select('a')).toMatchObject({ name: 'a' });
      await settled();
      expect(state.asked).toHaveLength(attempt);
    }
    state.error = undefined;
    pass(30 * SECOND);
    expect(found.select('a')).toMatchObject({ name: 'a' });
    await settled();
    expect([state.opened, state.ended]).toEqual([['a'], []]);
  });

  test('a known issuer is accepted for exactly rotation.maxStale', async () => {
    const { found, state, pass } = startWith({ maxStale: 400 });
    await found.select('a');
    state.error = new Error('down');
    pass(IDLE);
    await found.select('a');
    pass(70 * SECOND - 1);
    expect(found.select('a')).toMatchObject({ name: 'a' });
    await settled();
    pass(1);
    expect(await select(found, 'a')).toMatchObject({ message: 'down' });
    expect([state.ended, found.sources]).toEqual([['a'], []]);
    state.error = undefined;
    expect(await found.select('a')).toMatchObject({ name: 'a' });
    expect(state.opened).toEqual(['a', 'a']);
  });

  test('an issuer that was not used for longer than rotation.maxStale is not accepted', async () => {
    const { found, state, pass } = startWith();
    await found.select('a');
    state.error = new Error('down');
    pass(86_400 * SECOND);
    expect(await select(found, 'a')).toMatchObject({ message: 'down' });
    expect(state.ended).toEqual(['a']);
  });
});

describe('with at most ten concurrent lookups', () => {
  test('further lookups of known issuers wait', async () => {
    const { found, state, pass, hold } = startWith();
    const all = Array.from({ length: 30 }, (_, n) => `${n}`);
    for (const iss of all) await found.select(iss);
    pass(IDLE);
    hold();
    const waiting = all.map((iss) => select(found, iss));
    await settled();
    expect(state.asked).toHaveLength(40);
    state.release?.();
    expect(await Promise.all(waiting)).toEqual(all.map(() => undefined));
    expect(state.asked).toHaveLength(60);
  });

  test('random iss that occupy the function do not delay the removal of a known issuer', async () => {
    const { found, state, pass, hold } = startWith();
    await found.select('a');
    pass(IDLE);
    hold();
    const random = Array.from({ length: 10 }, (_, n) => select(found, `random-${n}`));
    const waiting = select(found, 'a');
    expect(await select(found, 'random-10')).toMatchObject({ name: 'IssuerUnavailableError' });
    state.unknown.add('a');
    state.release?.();
    // The known issuer gets the slot of a finished lookup before a new one does.
    await Promise.race(random);
    expect(await waiting).toMatchObject(mismatch('iss'));
    expect(state.asked.slice(-1)).toEqual(['a']);
  });

  test('a lookup that gets no slot within the time limit counts as failed', async () => {
    const { found, state, pass, hold } = startWith();
    await found.select('a');
    pass(IDLE);
    hold();
    const random = Array.from({ length: 10 }, (_, n) => select(found, `random-${n}`));
    expect(await select(found, 'a')).toBeUndefined();
    expect(state.failures).toEqual(['Too many issuers are being looked up at the same time (10)']);
    expect(found.select('a')).toMatchObject({ name: 'a' });
    state.release?.();
    await Promise.all(random);
    // Its slot is free again.
    await expect(
      Promise.all(Array.from({ length: 10 }, (_, n) => select(found, `new-${n}`))),
    ).resolves.toEqual(Array.from({ length: 10 }));
  });
});

test('an issuer that is displaced during its lookup is opened again', async () => {
  const { found, state, pass, hold } = startWith({ maxIssuers: 1 });
  await found.select('a');
  pass(IDLE);
  hold();
  const again = found.select('a');
  await settled();
  state.held = undefined;
  await found.select('b');
  state.release?.();
  expect(await again).toMatchObject({ name: 'a' });
  expect(state.opened).toEqual(['a', 'b', 'a']);
  expect(found.sources).toMatchObject([{ name: 'a' }]);
});

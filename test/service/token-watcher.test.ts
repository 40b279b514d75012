import { Subject } from 'rxjs';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  IssuerUnavailableError,
  KmsAccessDeniedError,
  KmsUnavailableError,
  RevocationUnavailableError,
  TokenExpiredError,
  TokenKeyDisabledError,
  TokenKeyUnknownError,
  TokenRevokedError,
} from '../../src/errors/errors.js';
import type { KmsJwtEvent } from '../../src/events/kms-jwt.events.js';
import {
  TokenWatcher,
  type TokenWatcherSettings,
  type WatchedToken,
} from '../../src/service/token-watcher.js';

/** A clock that the test advances, and that runs due timers. */
class TestClock {
  time = 1_000_000;
  draw = 0.5;
  private timers: { at: number; run: () => void }[] = [];
  readonly delays: number[] = [];

  now = () => this.time;
  random = () => this.draw;
  schedule = (run: () => void, milliseconds: number) => {
    const timer = { at: this.time + milliseconds, run };
    this.timers.push(timer);
    this.delays.push(milliseconds);
    return () => void (this.timers = this.timers.filter((one) => one !== timer));
  };
  get pending() {
    return this.timers.length;
  }
  async advance(milliseconds: number) {
    const end = this.time + milliseconds;
    for (;;) {
      const [next] = this.timers.filter(({ at }) => at <= end).toSorted((one, other) => one.at - other.at);
      if (!next) break;
      this.timers = this.timers.filter((one) => one !== next);
      this.time = Math.max(this.time, next.at);
      next.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.time = end;
  }
}

let clock: TestClock;
let events: Subject<KmsJwtEvent>;
let invalid: string[];

beforeEach(() => {
  clock = new TestClock();
  events = new Subject();
  invalid = [];
});

const DAY_SECONDS = 86_400;
const token = (parts: Partial<WatchedToken> = {}): WatchedToken => ({
  kid: 'key-1',
  expiresAt: Infinity,
  recheck: async () => {},
  ...parts,
});

function watcherWith(settings: Partial<TokenWatcherSettings> = {}) {
  return new TokenWatcher(
    { endAtExpiry: true, recheckInterval: undefined, ...settings },
    events,
    clock,
    clock.random,
  );
}

const inSeconds = (seconds: number) => token({ expiresAt: clock.time / 1000 + seconds });

describe('the expiry of a token', () => {
  test('is reported once, at that time', async () => {
    watcherWith().watch(inSeconds(60), ({ code }) => invalid.push(code));
    await clock.advance(59_999);
    expect(invalid).toEqual([]);
    await clock.advance(1);
    await clock.advance(60_000);
    expect(invalid).toEqual(['token_expired']);
    expect(clock.pending).toBe(0);
  });

  test('is reported with its time', async () => {
    const expiries: unknown[] = [];
    watcherWith().watch(inSeconds(60), (error) => expiries.push(Reflect.get(error, 'expiredAt')));
    await clock.advance(60_000);
    expect(expiries).toEqual([new Date(clock.time)]);
  });

  test('of a token that does not expire, or whose exp is not a number, is never reported', async () => {
    for (const expiresAt of [Infinity, NaN]) {
      watcherWith().watch(token({ expiresAt }), ({ code }) => invalid.push(code));
    }
    clock.time += 10 * 365 * DAY_SECONDS * 1000;
    await clock.advance(1000);
    expect(invalid).toEqual([]);
  });

  test('is reported at once after a step of the wall clock or a suspension of many days', async () => {
    watcherWith().watch(inSeconds(60 * DAY_SECONDS), ({ code }) => invalid.push(code));
    clock.time += (60 * DAY_SECONDS - 10) * 1000;
    await clock.advance(9000);
    expect(invalid).toEqual([]);
    clock.time += 1000;
    await clock.advance(1000);
    expect(invalid).toEqual(['token_expired']);
    expect(Math.max(...clock.delays)).toBeLessThan(1000);
  });

  test('needs one timer for all tokens, and none without any', async () => {
    const watcher = watcherWith();
    expect(clock.pending).toBe(0);
    const stops = Array.from({ length: 100 }, () => watcher.watch(inSeconds(60), () => {}));
    expect(clock.pending).toBe(1);
    for (const stop of stops) stop();
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  test('is later when the wall clock is set back', async () => {
    watcherWith().watch(inSeconds(60), ({ code }) => invalid.push(code));
    const due = clock.time + 60_000;
    clock.now = () => clock.time - 30_000;
    await clock.advance(due - clock.time);
    expect(invalid).toEqual([]);
    await clock.advance(30_000);
    expect(invalid).toEqual(['token_expired']);
  });

  test('is not reported with endAtExpiry: false, after the watch has ended, or after a stop', async () => {
    watcherWith({ endAtExpiry: false }).watch(inSeconds(1), ({ code }) => invalid.push(code));
    watcherWith().watch(inSeconds(1), ({ code }) => invalid.push(code))();
    const stopped = watcherWith();
    stopped.watch(inSeconds(1), ({ code }) => invalid.push(code));
    stopped.stop();
    await clock.advance(10_000);
    expect(invalid).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('a key that is no longer trusted', () => {
  test('ends the watches of its tokens, and no others', async () => {
    const watcher = watcherWith();
    watcher.watch(token(), ({ code }) => invalid.push(`key-1 ${code}`));
    watcher.watch(token({ kid: 'key-2' }), ({ code }) => invalid.push(`key-2 ${code}`));
    events.next({ type: 'key_removed', kid: 'key-1' });
    events.next({ type: 'key_removed', kid: 'key-1' });
    expect(invalid).toEqual(['key-1 token_key_unknown']);
  });

  test('ends no watch with endAtExpiry: false; nor does any other event', () => {
    watcherWith({ endAtExpiry: false }).watch(token(), ({ code }) => invalid.push(code));
    events.next({ type: 'key_removed', kid: 'key-1' });
    watcherWith().watch(token(), ({ code }) => invalid.push(code));
    events.next({ type: 'key_published', kid: 'key-1' });
    expect(invalid).toEqual([]);
  });
});

const watch = (watcher: TokenWatcher, watched: WatchedToken) => () =>
  watcher.watch(watched, ({ code }) => invalid.push(code));

test('keys that are too old end all watches as an outage', () => {
  const watcher = watcherWith();
  watcher.watch(token(), ({ code }) => invalid.push(code));
  watcher.watch(token({ kid: undefined }), ({ code }) => invalid.push(code));
  const error = new Error('outage');
  events.next({ type: 'keys_stale', staleIn: 60, error });
  expect(invalid).toEqual([]);
  events.next({ type: 'keys_stale', staleIn: 0, error });
  expect(invalid).toEqual(['jwks_unavailable', 'jwks_unavailable']);
});

test('keys that are too old end no watch with endAtExpiry: false', () => {
  watcherWith({ endAtExpiry: false }).watch(token(), ({ code }) => invalid.push(code));
  events.next({ type: 'keys_stale', staleIn: 0, error: new Error('outage') });
  expect(invalid).toEqual([]);
});

describe('a watch of a token that is no longer valid', () => {
  test('is refused when it has expired', () => {
    expect(watch(watcherWith(), inSeconds(0))).toThrow(TokenExpiredError);
    expect(clock.pending).toBe(0);
  });

  test('is refused when its key was removed during verification, unless the key is trusted again', () => {
    const watcher = watcherWith();
    events.next({ type: 'key_removed', kid: 'key-1' });
    expect(watch(watcher, token())).toThrow(TokenKeyUnknownError);
    events.next({ type: 'key_published', kid: 'key-1' });
    expect(watch(watcher, token())).not.toThrow();
    expect(watch(watcher, token({ kid: undefined }))).not.toThrow();
  });

  test('is refused only for the last 2,000 removed keys', () => {
    const watcher = watcherWith();
    for (let index = 0; index <= 2000; index += 1) events.next({ type: 'key_removed', kid: `key-${index}` });
    expect(watch(watcher, token({ kid: 'key-0' }))).not.toThrow();
    expect(watch(watcher, token({ kid: 'key-1' }))).toThrow(TokenKeyUnknownError);
  });

  test('is not refused with endAtExpiry: false', () => {
    const watcher = watcherWith({ endAtExpiry: false });
    events.next({ type: 'key_removed', kid: 'key-1' });
    expect(watch(watcher, token())).not.toThrow();
    expect(watch(watcher, inSeconds(0))).not.toThrow();
  });
});

const answers = (...results: (Error | undefined)[]) => {
  let calls = 0;
  return {
    count: () => calls,
    recheck: async () => {
      const error = results[calls++];
      if (error) throw error;
    },
  };
};

describe('recheckInterval', () => {
  test('rechecks each time, with jitter, and reports a revocation', async () => {
    const { recheck, count } = answers(undefined, undefined, new TokenRevokedError());
    watcherWith({ recheckInterval: 60 }).watch(token({ recheck }), ({ code }) => invalid.push(code));
    await clock.advance(120_000);
    expect([count(), invalid]).toEqual([2, []]);
    await clock.advance(60_000);
    expect([count(), invalid]).toEqual([3, ['token_revoked']]);
    await clock.advance(600_000);
    expect(count()).toBe(3);

    clock.draw = 0;
    watcherWith({ recheckInterval: 60 }).watch(token(), () => {});
    expect(clock.delays.findLast((delay) => delay > 1000)).toBeCloseTo(54_000);
    clock.draw = 0.999_999;
    watcherWith({ recheckInterval: 60 }).watch(token(), () => {});
    expect(clock.delays.findLast((delay) => delay > 1000)).toBeCloseTo(66_000, -1);
  });

  test.each([
    new RevocationUnavailableError('isRevoked failed'),
    new KmsUnavailableError('timeout', 'no answer'),
    new IssuerUnavailableError('The function issuers failed'),
  ])('reports only the third $name in a row', async (outage) => {
    const { recheck } = answers(outage, outage, undefined, outage, outage, outage);
    watcherWith({ recheckInterval: 60 }).watch(token({ recheck }), ({ code }) => invalid.push(code));
    await clock.advance(5 * 60_000);
    expect(invalid).toEqual([]);
    await clock.advance(60_000);
    expect(invalid).toEqual([outage.code]);
  });

  test.each([new TokenKeyDisabledError(), new KmsAccessDeniedError('no kms:Verify')])(
    'reports any other failure at once, such as $name',
    async (error) => {
      const { recheck } = answers(error);
      watcherWith({ recheckInterval: 60 }).watch(token({ recheck }), ({ code }) => invalid.push(code));
      await clock.advance(60_000);
      expect(invalid).toEqual([error.code]);
    },
  );

  test('does not report the result of a recheck that started before the watch ended', async () => {
    let answer!: (error: Error) => void;
    const recheck = () => new Promise<void>((_, reject) => (answer = reject));
    const stop = watcherWith({ recheckInterval: 60 }).watch(token({ recheck }), ({ code }) =>
      invalid.push(code),
    );
    await clock.advance(60_000);
    stop();
    answer(new TokenRevokedError());
    await clock.advance(600_000);
    expect(invalid).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

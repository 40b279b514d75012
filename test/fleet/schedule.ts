import * as fc from 'fast-check';
import { KEY_COUNT, type Operation } from './kms.js';
import type { Freeze } from './time.js';

/** An event of the simulation. Times and durations are seconds; the instance -1 means all instances. */
export type FleetEvent = { readonly at: number } & (
  | { readonly kind: 'move'; readonly key: number }
  | { readonly kind: 'freeze'; readonly instance: number; readonly how: Freeze; readonly for: number }
  | {
      readonly kind: 'partition';
      readonly instance: number;
      readonly operations: readonly Operation[];
      readonly for: number;
    }
  | {
      readonly kind: 'restart';
      readonly instance: number;
      readonly for: number;
      readonly losesStore: boolean;
    }
  | { readonly kind: 'clock'; readonly instance: number; readonly by: number; readonly for: number }
  | { readonly kind: 'store'; readonly instance: number; readonly for: number }
  | { readonly kind: 'disable' }
  | { readonly kind: 'distrust' }
);

export interface Schedule {
  /** The seed for all that the events do not determine: jitter, skew, and the instance that serves a request. */
  readonly seed: number;
  /** How out of date the answers of KMS are: not at all, as much as possible, or at random. */
  readonly delay: 'none' | 'longest' | 'random';
  readonly activationDelay: 'default' | 'none' | 'requestAlias';
  readonly expiresIn: number;
  readonly events: readonly FleetEvent[];
}

/** How long a schedule lasts, in seconds. */
export const HORIZON = 3 * 3600;

const DURATIONS = { seconds: [1, 60], minutes: [60, 1200], hours: [1200, 7200] } as const;

export function schedules(size: number): fc.Arbitrary<Schedule> {
  const at = fc.integer({ min: 60, max: HORIZON - 60 });
  const key = fc.integer({ min: 0, max: KEY_COUNT - 1 });
  const instance = fc.integer({ min: 0, max: size - 1 });
  const instances = fc.oneof({ weight: 5, arbitrary: instance }, { weight: 1, arbitrary: fc.constant(-1) });
  const duration = fc.oneof(...Object.values(DURATIONS).map(([min, max]) => fc.integer({ min, max })));
  const event = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('move' as const),
        at,
        key,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('freeze' as const),
        at,
        instance,
        how: fc.constantFrom<Freeze>('stopped', 'suspended', 'paused'),
        for: duration,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('partition' as const),
        at,
        instance: instances,
        operations: fc.constantFrom<readonly Operation[]>(
          ['GetPublicKey'],
          ['Sign'],
          ['GetPublicKey', 'Sign'],
        ),
        for: duration,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('restart' as const),
        at,
        instance,
        for: duration,
        losesStore: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('clock' as const),
        at,
        instance,
        by: fc.oneof(fc.integer({ min: -7200, max: 7200 }), fc.constantFrom(-864_000, 864_000)),
        for: duration,
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('store' as const), at, instance, for: duration }) },
  );
  // Late enough that the alias does not flap, and early enough that some instances have not activated the first key.
  const secondMove = fc
    .record({ at, after: fc.integer({ min: 640, max: 1500 }), keys: fc.tuple(key, key) })
    .map(({ at: first, after, keys }): FleetEvent[] => [
      { kind: 'move', at: first, key: keys[0] },
      { kind: 'move', at: first + after, key: keys[1] },
    ]);
  const rare = fc.oneof(
    fc.record({ kind: fc.constant('disable' as const), at }),
    fc.record({ kind: fc.constant('distrust' as const), at }),
  );
  return fc.record({
    seed: fc.nat(),
    delay: fc.constantFrom<Schedule['delay']>('none', 'longest', 'random'),
    activationDelay: fc.oneof(
      { weight: 18, arbitrary: fc.constant('default' as const) },
      { weight: 1, arbitrary: fc.constant('none' as const) },
      { weight: 1, arbitrary: fc.constant('requestAlias' as const) },
    ),
    expiresIn: fc.constantFrom(60, 900, 3600),
    events: fc
      .tuple(
        fc.array(event, { minLength: 1, maxLength: 12 }),
        fc.option(secondMove, { nil: [] }),
        fc.oneof(
          { weight: 5, arbitrary: fc.constant<FleetEvent[]>([]) },
          { weight: 1, arbitrary: fc.array(rare, { minLength: 1, maxLength: 1 }) },
        ),
      )
      .map((events): FleetEvent[] => events.flat()),
  });
}

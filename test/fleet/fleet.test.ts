import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { runSchedule } from './fleet.js';
import type { Exception } from './promises.js';
import { schedules } from './schedule.js';

/** `npm run test:fleet` sets a higher number. */
const SCHEDULES = Number(process.env['FLEET_SCHEDULES'] ?? 200);
const SIZE = Number(process.env['FLEET_SIZE'] ?? 5);
/** To rerun one schedule; both are printed when it fails. By default the seed is fixed for few schedules, and random for many. */
const { FLEET_SEED, FLEET_PATH } = process.env;
const USUAL_SEED = 1;
/** `no` reports the first schedule that fails, without shrinking it. */
const { FLEET_SHRINK } = process.env;
/** So many schedules must contain each of the exceptions. */
const MANY = 5000;

test(`valid tokens are accepted everywhere, in ${SCHEDULES} schedules of ${SIZE} instances`, async () => {
  const totals = { signed: 0, refused: 0 };
  const exceptions: Partial<Record<Exception, number>> = {};
  const seed = Number(FLEET_SEED ?? (SCHEDULES >= MANY ? Date.now() % 2 ** 31 : USUAL_SEED));
  let started = 0;
  const property = fc.asyncProperty(schedules(SIZE), async (schedule) => {
    started += 1;
    if (started % 1000 === 0) console.log(`${started} schedules of seed ${seed}`);
    const outcome = await runSchedule(schedule, SIZE);
    totals.signed += outcome.signed;
    totals.refused += outcome.refused;
    for (const [name, count] of outcome.exceptions) exceptions[name] = (exceptions[name] ?? 0) + count;
  });
  await fc.assert(property, {
    numRuns: SCHEDULES,
    seed,
    endOnFailure: FLEET_SHRINK === 'no',
    ...(FLEET_PATH && { path: FLEET_PATH }),
  });
  console.log(
    `tokens signed: ${totals.signed}; calls of sign refused: ${totals.refused}; exceptions:`,
    exceptions,
  );
  expect(totals.signed).toBeGreaterThan(0);
  if (SCHEDULES >= MANY) {
    expect(Object.keys(exceptions).toSorted()).toEqual([
      'a key whose active time an instance missed',
      'a late lookup',
      'a pause that only the wall clock shows',
      'a start without a store',
      'activationDelay: 0',
      'an active key that is disabled or distrusted',
      'an alias that flaps',
      'requestAlias',
      'two key sets in a row that may not be cached',
    ]);
  }
}, 3_600_000);

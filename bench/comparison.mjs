// A comparison: contenders measured in rounds, as ratios to a reference.
import { controlTime } from './control.mjs';
import { profileOf } from './profile.mjs';
import { absoluteOf, ratioOf, runRounds } from './rounds.mjs';
import { median } from './statistics.mjs';
import { judge } from './targets.mjs';

/** The metrics of comparisons. */
export const RATE = { name: 'rate', title: 'rate', unit: '1/s', isHigherBetter: true };
export const CPU = { name: 'cpu', title: 'CPU', unit: 'µs', isHigherBetter: false };
export const P50 = { name: 'p50', title: 'p50', unit: 'ms', isHigherBetter: false };
export const P99 = { name: 'p99', title: 'p99', unit: 'ms', isHigherBetter: false };
export const HELD = { name: 'held', title: 'longest block', unit: 'ms', isHigherBetter: false };

/**
 * @param {object} comparison
 * @param {string} comparison.id
 * @param {string} comparison.title
 * @param {string} comparison.text how it is measured
 * @param {readonly (typeof RATE)[]} comparison.metrics the first also shows whether a round was disturbed
 * @param {readonly import('./rounds.mjs').Contender[]} comparison.contenders the first is the reference
 * @param {number} comparison.rounds
 * @param {readonly import('./targets.mjs').Target[]} [comparison.targets]
 */
export async function compare({ id, title, text, metrics, contenders, rounds, targets = [] }) {
  const reference = contenders[0].name;
  const measured = await runRounds(contenders, { rounds, steady: metrics[0].name, control: controlTime });
  const rows = contenders.map(({ name }) => ({
    name,
    figures: Object.fromEntries(
      metrics.map(({ name: metric }) => [
        metric,
        {
          ratio: ratioOf(measured.rounds, metric, name, reference),
          absolute: absoluteOf(measured.rounds, metric, name),
        },
      ]),
    ),
    targets: targets
      .filter(({ contender }) => contender === name)
      .map((target) => judge(measured.rounds, reference, target)),
  }));
  const profiles = [];
  for (const { name, run, profile = () => profileOf(run) } of contenders.filter((one) =>
    hasMissed(rows, one),
  )) {
    profiles.push({ name, shares: await profile() });
  }
  return {
    kind: 'comparison',
    id,
    title,
    text,
    metrics,
    reference,
    rows,
    rounds,
    profiles,
    repeated: measured.repeated,
    disturbed: measured.disturbed,
    controlMs: median(measured.rounds.map(({ control }) => control)),
  };
}

function hasMissed(rows, { name }) {
  return rows.some((row) => row.name === name && row.targets.some(({ isMet }) => !isMet));
}

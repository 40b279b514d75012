// Whether what was measured is what the project promises. A missed target fails no run: it stands in the tables.
import { absoluteOf, ratioOf } from './rounds.mjs';

/**
 * @typedef {object} Target of one contender
 * @property {string} contender
 * @property {string} metric
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {readonly string[]} [to] the other contenders that it is compared with. Default: the reference
 * @property {string} [unit] for a target that is no ratio
 */

/**
 * @param {readonly import('./rounds.mjs').Round[]} rounds
 * @param {string} reference
 * @param {Target} target
 */
export function judge(rounds, reference, { contender, metric, atLeast, atMost, to, unit }) {
  const { value, other } =
    unit === undefined
      ? worstRatio(rounds, metric, contender, to ?? [reference], atMost === undefined)
      : { value: absoluteOf(rounds, metric, contender).median, other: undefined };
  const isMet = atMost === undefined ? value >= atLeast : value <= atMost;
  const bound = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  return { contender, metric, bound, unit, to: to === undefined ? undefined : other, value, isMet };
}

/** The ratio to that of the other contenders which comes off best. */
function worstRatio(rounds, metric, contender, others, isHigherBetter) {
  const ratios = others.map((other) => ({
    other,
    value: ratioOf(rounds, metric, contender, other).median,
  }));
  const sorted = ratios.toSorted((a, b) => a.value - b.value);
  return isHigherBetter ? sorted[0] : sorted.at(-1);
}

// The performance targets of the project. A missed target does not fail a run: the tables report it.
import { absoluteOf, ratioOf } from './rounds.mjs';

/**
 * @typedef {object} Target of one contender
 * @property {string} contender
 * @property {string} metric
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {readonly string[]} [to] the other contenders with which it is compared. Default: the reference
 * @property {string} [unit] for an absolute target
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

/** The least favorable ratio to one of the other contenders. */
function worstRatio(rounds, metric, contender, others, isHigherBetter) {
  const ratios = others.map((other) => ({
    other,
    value: ratioOf(rounds, metric, contender, other).median,
  }));
  const sorted = ratios.toSorted((a, b) => a.value - b.value);
  return isHigherBetter ? sorted[0] : sorted.at(-1);
}

// Interleaved rounds: every contender runs once in each, so that changes of the machine over time affect all of them.
import { median, summary } from './statistics.mjs';

/**
 * @typedef {Record<string, number>} Figures what one run of a contender measured, by metric
 * @typedef {object} Contender
 * @property {string} name
 * @property {() => Promise<Figures>} run
 * @property {() => Promise<{ name: string, share: number }[]>} [profile] makes the profile for a missed target, if another process
 *   does the work; by default `run`
 * @typedef {{ control: number, figures: Record<string, Figures> }} Round
 */

/** By which share a round may differ from the median of all rounds. */
export const TOLERANCE = 0.1;

/**
 * Runs the contenders in rounds, and repeats rounds that other work on the machine disturbed.
 *
 * @param {readonly Contender[]} contenders the first is the reference
 * @param {object} options
 * @param {number} options.rounds
 * @param {string} options.steady the metric of the reference that shows a disturbance
 * @param {() => Promise<number>} options.control the duration of a fixed amount of work
 * @param {number} [options.maxRepeats] default: a third of the rounds
 */
export async function runRounds(contenders, { rounds, steady, control, maxRepeats = Math.ceil(rounds / 3) }) {
  const reference = contenders[0].name;
  /** @type {Round[]} */
  const done = [];
  for (let index = 0; index < rounds; index += 1) done.push(await runRound(contenders, index, control));

  let repeated = 0;
  let disturbed = disturbedRounds(done, reference, steady);
  while (disturbed.length > 0 && repeated < maxRepeats) {
    const [index] = disturbed;
    done[index] = await runRound(contenders, index, control);
    repeated += 1;
    disturbed = disturbedRounds(done, reference, steady);
  }
  return { rounds: done, repeated, disturbed: disturbed.length };
}

/** Each round begins with a different contender, so that not always the same one is first. */
async function runRound(contenders, index, control) {
  const start = index % contenders.length;
  const inTurn = [...contenders.slice(start), ...contenders.slice(0, start)];
  const before = await control();
  const figures = {};
  for (const { name, run } of inTurn) {
    // Collects the garbage of the previous contender, so that it does not slow down the next one.
    globalThis.gc?.();
    figures[name] = await run();
  }
  return { control: Math.max(before, await control()), figures };
}

/**
 * The indexes of the rounds in which the control took longer than usual, or the reference was not as fast as usual.
 *
 * @param {readonly Round[]} rounds
 * @param {string} reference
 * @param {string} steady
 */
export function disturbedRounds(rounds, reference, steady) {
  const usualControl = median(rounds.map(({ control }) => control));
  const usual = median(rounds.map(({ figures }) => figures[reference][steady]));
  return [...rounds.keys()].filter((index) => {
    const { control, figures } = rounds[index];
    const drift = Math.abs(figures[reference][steady] / usual - 1);
    return control > usualControl * (1 + TOLERANCE) || drift > TOLERANCE;
  });
}

/**
 * The median and quartiles of the ratios of two contenders in each round. A ratio of two medians would compare different rounds.
 *
 * @param {readonly Round[]} rounds
 * @param {string} metric
 * @param {string} contender
 * @param {string} reference
 */
export function ratioOf(rounds, metric, contender, reference) {
  return summary(rounds.map(({ figures }) => figures[contender][metric] / figures[reference][metric]));
}

/**
 * @param {readonly Round[]} rounds
 * @param {string} metric
 * @param {string} contender
 */
export function absoluteOf(rounds, metric, contender) {
  return summary(rounds.map(({ figures }) => figures[contender][metric]));
}

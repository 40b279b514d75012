// Ways to run a task over tokens, and to time it.
import { quantile } from './statistics.mjs';

/**
 * Runs the task for one token after the other, in complete passes over the tokens.
 *
 * @param {readonly string[]} tokens
 * @param {(token: string) => unknown} task
 * @param {number} milliseconds the minimum duration
 */
export async function rateOneAtATime(tokens, task, milliseconds = 0) {
  const startedAt = performance.now();
  let count = 0;
  do {
    for (const token of tokens) {
      const result = task(token);
      // A synchronous peer must not pay for a promise.
      if (result instanceof Promise) await result;
    }
    count += tokens.length;
  } while (performance.now() - startedAt < milliseconds);
  return { rate: perSecond(count, startedAt) };
}

/**
 * Keeps a number of tasks running: when one ends, the next begins.
 *
 * @template Item
 * @param {number} concurrency
 * @param {Iterable<Item>} items
 * @param {(item: Item) => unknown} task
 */
export async function inLanes(concurrency, items, task) {
  const iterator = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await task(next.value);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

/**
 * @param {number} concurrency
 * @param {readonly string[]} tokens
 * @param {(token: string) => unknown} task
 */
export async function rateInLanes(concurrency, tokens, task) {
  const startedAt = performance.now();
  await inLanes(concurrency, tokens, task);
  return { rate: perSecond(tokens.length, startedAt) };
}

/**
 * The longest time for which a task blocked the event loop, in milliseconds.
 *
 * @param {() => Promise<unknown>} task
 */
export async function longestBlock(task) {
  let isOver = false;
  let longest = 0;
  let turnAt = performance.now();
  const onTurn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - turnAt);
    turnAt = now;
    if (!isOver) setImmediate(onTurn);
  };
  setImmediate(onTurn);
  await task();
  isOver = true;
  onTurn();
  return longest;
}

/** @param {readonly number[]} latencies in milliseconds */
export function percentiles(latencies) {
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

/**
 * @param {number} count
 * @param {number} startedAt
 */
export function perSecond(count, startedAt) {
  return (count * 1000) / (performance.now() - startedAt);
}

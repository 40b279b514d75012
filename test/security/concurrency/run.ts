import { randomInt } from 'node:crypto';
import { Random } from './random.js';

const { CONCURRENCY_SECONDS = '5', CONCURRENCY_SEED } = process.env;

/** How long the calls go on. */
export const SECONDS = Number(CONCURRENCY_SECONDS);
export const SEED = Number(CONCURRENCY_SEED ?? randomInt(2 ** 31));

/** A minute has the whole load; less time has fewer users, as their connections have to be opened too. */
export const USERS = Math.min(100, Math.max(8, Math.round((SECONDS * 100) / 60)));

/** How many connections are busy at once. */
export const WORKERS = 100;

export const random = new Random(SEED);

import { randomInt } from 'node:crypto';
import { Random } from './random.js';

const { CONCURRENCY_SECONDS = '5', CONCURRENCY_SEED } = process.env;

/** The duration of the calls, in seconds. */
export const SECONDS = Number(CONCURRENCY_SECONDS);
export const SEED = Number(CONCURRENCY_SEED ?? randomInt(2 ** 31));

/** A minute has all users; a shorter run has fewer, because opening their connections takes time. */
export const USERS = Math.min(100, Math.max(8, Math.round((SECONDS * 100) / 60)));

/** The number of connections in use at once. */
export const WORKERS = 100;

export const random = new Random(SEED);

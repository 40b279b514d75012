// How the figures change with more keys, claims, concurrent calls, distinct tokens and hours.
import { manyTokens } from './growth/memory.mjs';
import { moreCalls } from './growth/calls.mjs';
import { longerClaims, longerSignedClaims } from './growth/claims.mjs';
import { moreKeys } from './growth/keys.mjs';
import { manyRefreshes } from './growth/refreshes.mjs';

/** @param {{ short: boolean }} options */
export async function run({ short }) {
  return [
    await moreKeys(short),
    await longerClaims(short),
    await longerSignedClaims(short),
    await moreCalls(short),
    await manyTokens(short),
    await manyRefreshes(short),
  ];
}

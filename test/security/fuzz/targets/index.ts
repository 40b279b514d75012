import type { Target } from '../target.js';
import { claims } from './claims.js';
import { decode } from './decode.js';
import { der } from './der.js';
import { extractors } from './extractors.js';
import { keySets } from './key-sets.js';
import { requests } from './requests.js';
import { rings } from './rings.js';
import { tokens } from './tokens.js';

export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  tokens,
  decode,
  der,
  'key-sets': keySets,
  rings,
  requests,
  extractors,
  claims,
};

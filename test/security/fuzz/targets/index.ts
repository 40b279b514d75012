import type { Target } from '../target.js';
import { claims } from './claims.js';
import { decode } from './decode.js';
import { extractors } from './extractors.js';
import { keySets } from './key-sets.js';
import { kmsSignatures } from './kms-signatures.js';
import { requests } from './requests.js';
import { rings } from './rings.js';
import { signatures } from './signatures.js';
import { spkis } from './spkis.js';
import { tokens } from './tokens.js';

export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  tokens,
  decode,
  signatures,
  'kms-signatures': kmsSignatures,
  spkis,
  'key-sets': keySets,
  rings,
  requests,
  extractors,
  claims,
};

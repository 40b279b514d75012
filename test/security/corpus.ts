import { algorithms } from './cases/algorithms.js';
import { claims } from './cases/claims.js';
import { encoding } from './cases/encoding.js';
import { b64, crit, enc, kids, smuggledKeys, types } from './cases/headers.js';
import { json } from './cases/json.js';
import { nonStrings } from './cases/non-strings.js';
import { signatures } from './cases/signatures.js';
import { sizes } from './cases/sizes.js';
import type { Corpus } from './support.js';

export { leftOpen, valid } from './cases/valid.js';

/** Tokens and other inputs that a verifier must refuse. */
export const hostile: Corpus = {
  'an algorithm': algorithms,
  'a signature': signatures,
  'a key in the header:': smuggledKeys,
  'a kid that is': kids,
  'a crit': crit,
  'a b64': b64,
  'an enc that is': enc,
  'a typ that is': types,
  'an encoding with': encoding,
  JSON: json,
  'a claim:': claims,
  'a size of': sizes,
  'a non-string:': nonStrings,
};

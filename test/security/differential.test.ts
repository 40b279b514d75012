import { verify } from 'node:crypto';
import { TokenError, TokenKeyUnknownError, TokenSignatureError } from 'nestjs-kms-jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TWICE } from './cases/json.js';
import { ESCAPED_NAMES } from './cases/json.js';
import { hostile, leftOpen, valid } from './corpus.js';
import { mutate, seeded } from './mutations.js';
import { abilitiesFor, type Case, keyNamed, newKeys, optionsOf, partsOf, trustIn } from './support.js';
import { startOurs } from './ours.js';
import { jose as joseFor } from './peers.js';
import type { Verifier } from './verifier.js';

const MUTANTS = 600;
const SEED = Number(process.env['SEED'] ?? 20_260_101);

const keys = newKeys();
const jose = joseFor(trustIn(keys));
let ours: Awaited<ReturnType<typeof startOurs>>;

beforeAll(async () => void (ours = await startOurs(trustIn(keys))));
afterAll(() => ours.close());

/** What a verifier threw; undefined where it accepted. */
async function refusal(verifier: Verifier, token: unknown, options: object): Promise<unknown> {
  try {
    await verifier.verify(token, options);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The least that a verifier can be: algorithm, name of the key and signature, and no look at anything else. */
function bareCryptoAccepts(token: unknown): boolean {
  if (typeof token !== 'string') return false;
  try {
    const [header, payload, signature] = partsOf(token);
    const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
    const key = keyNamed(keys, kid);
    if (!key || alg !== 'ES256') return false;
    const signingInput = Buffer.from(`${header}.${payload}`);
    const bytes = Buffer.from(signature, 'base64url');
    return verify('sha256', signingInput, { key, dsaEncoding: 'ieee-p1363' }, bytes);
  } catch {
    return false;
  }
}

const inEachPart = (...what: string[]) =>
  what.flatMap((one) => ['header', 'payload', 'signature'].map((part) => `${one} in the ${part}`));

/** What jose accepts and this library refuses, and why this library does. */
const ONLY_JOSE: [group: string, reason: string, names: string[]][] = [
  [
    'a crit',
    'jose knows b64, in whose JWTs it must not be used (RFC 7797, section 7); here it is an extension like others',
    ['of b64'],
  ],
  [
    'a b64',
    'jose looks at b64 only where crit names it; whoever wrote it meant the payload to be read in another way',
    ['false', 'true', 'null', '0'].map((value) => `${value}, but not critical`).concat('of the wrong type'),
  ],
  [
    'an enc that is',
    'jose reads a JWE by a function of its own, and a JWS whatever its header says of encryption',
    ['A256GCM, over a good signature', 'an empty text, over a good signature', 'null, over a good signature'],
  ],
  [
    'a typ that is',
    'it folds case by Unicode, where a Kelvin sign is a capital k',
    ['kb+jwt with a Kelvin sign where kb+jwt is asked for'],
  ],
  [
    'an encoding with',
    'its decoder skips ASCII whitespace: the token could be spelled in many ways',
    [
      ...inEachPart('a space in front', 'a space behind', 'a newline in the middle'),
      ...inEachPart('a CRLF in the middle', 'a tab in the middle'),
      'a newline behind all',
    ],
  ],
  [
    'an encoding with',
    'its decoder takes the padding that base64 would have',
    ['two paddings in the header', 'two paddings in the signature'],
  ],
  [
    'an encoding with',
    'its decoder ignores trailing bits: the token could be spelled in many ways',
    inEachPart('trailing bits that are not zero'),
  ],
  [
    'an encoding with',
    'its TextDecoder skips a byte order mark, which JSON must not have (RFC 8259, section 8.1)',
    ['a byte order mark: the header', 'a byte order mark: the payload'],
  ],
  [
    'a claim:',
    'jose does not look at the types of sub and jti unless it is asked for them, nor ever at those of all members of aud',
    [
      ...['sub', 'jti'].flatMap((claim) =>
        ['42', '0', 'null', 'true', 'false', '{}', '[]', '{"toString":"user-42"}'].map(
          (value) => `${claim}: ${value}`,
        ),
      ),
      'sub: ["user-42"]',
      'jti: ["token-1"]',
      'aud that is the right one among numbers',
      'aud that is the right one behind null',
      'aud that is the right one and an object',
      'aud that is the right one and an array',
    ],
  ],
  [
    'a claim:',
    'jose takes for a time whatever is a number; JSON that overflows makes a token that never expires',
    ['exp: 1e400', 'nbf: -1e400', 'nbf: -1', 'nbf: -9999999999'].concat(
      ['1e400', '-1e400', '-1', '-9999999999'].map((value) => `iat: ${value}`),
    ),
  ],
  [
    'JSON',
    'the last of two members counts, as RFC 7515, section 4, and RFC 7519, section 4, allow',
    [
      'alg twice, the last ES256',
      'alg twice, both ES256',
      'exp twice, the last in the future',
      'a claim twice, once escaped',
      'a member twice, deep within',
      'a member of an empty name twice',
      ...Object.keys(TWICE).flatMap((what) => [`a claim twice ${what}`, `a header parameter twice ${what}`]),
    ],
  ],
  [
    'JSON',
    'it is a name like others: an own member, which no check of jose reads',
    [
      '__proto__ as a claim',
      '__proto__ as a claim, escaped',
      '__proto__ within a claim',
      '__proto__ as a header parameter',
    ],
  ],
  [
    'JSON',
    'jose reads it as JSON.parse does, and knows nothing of the mistake of V8',
    ESCAPED_NAMES.map((name) => `a claim called ${name}`),
  ],
  ['a size of', 'the same: a number that overflows is Infinity', ['a number of 1 MiB as exp']],
];

describe('against jose', () => {
  test.each(Object.entries(hostile))(
    '%s …: jose accepts no more than what is listed',
    async (group, cases) => {
      const accepted: string[] = [];
      for (const one of cases) {
        const isAsked = abilitiesFor(one, keys).every((ability) => jose.abilities.has(ability));
        if (isAsked && (await refusal(jose, one.make(keys), optionsOf(one, keys))) === undefined) {
          accepted.push(one.name);
        }
      }
      const listed = ONLY_JOSE.filter(([of]) => of === group).flatMap(([, , names]) => names);
      expect(accepted.toSorted()).toEqual(listed.toSorted());
    },
  );

  test.each([...valid, ...leftOpen].map((one) => [one.name, one] as const))(
    'both accept: %s',
    async (_, one) => {
      const isAsked = abilitiesFor(one, keys).every((ability) => jose.abilities.has(ability));
      const token = one.make(keys);
      expect(await refusal(ours, token, optionsOf(one, keys))).toBeUndefined();
      if (isAsked) expect(await refusal(jose, token, optionsOf(one, keys))).toBeUndefined();
    },
  );
});

/** Why this library refuses what bare node:crypto accepts; no other group has such a case. */
const ONLY_CRYPTO: Record<string, string> = {
  'a crit': 'the signature is good: what it covers asks for an extension',
  'a b64': 'the signature is good: what it covers asks for an extension',
  'an enc that is': 'the signature is good: it covers what says that it is encrypted',
  'a typ that is': 'the signature is good: it covers a token for another use',
  'an encoding with': 'Node decodes what is not base64url, and puts U+FFFD where there is no UTF-8',
  JSON: 'the signature is good: nobody has read the claims',
  'a claim:': 'the signature is good: nobody has read the claims',
  'a size of': 'the signature is good: nobody has looked at length, claims or crit',
};

describe('against node:crypto alone', () => {
  const cases = Object.entries(hostile).flatMap(([group, all]) =>
    all.map((one) => [group, one.name, one] as const),
  );

  test.each(cases)('%s %s: no signature or key is refused that it accepts', async (group, _, one) => {
    const token = one.make(keys);
    const isAccepted = bareCryptoAccepts(token);
    if (isAccepted) expect(ONLY_CRYPTO).toHaveProperty([group]);

    const error = await refusal(ours, token, optionsOf(one, keys));
    const isOfSignature = error instanceof TokenSignatureError || error instanceof TokenKeyUnknownError;
    expect(isAccepted && isOfSignature).toBe(false);
  });

  test.each([...valid, ...leftOpen].map((one) => [one.name, one] as const))('both accept: %s', (_, one) => {
    expect(bareCryptoAccepts(one.make(keys))).toBe(true);
  });
});

/** Why others may accept a mutant that this library refuses; undefined where there is no reason to. */
function reasonFor(mutant: string, original: string): string | undefined {
  const [header, payload, signature, ...rest] = mutant.split('.') as [string, string, string, ...string[]];
  const [goodHeader, goodPayload, goodSignature] = partsOf(original);
  const isSameContent = header === goodHeader && payload === goodPayload;
  const isSameSignature = Buffer.from(signature, 'base64url').equals(Buffer.from(goodSignature, 'base64url'));
  if (!isSameContent || !isSameSignature) return undefined;
  return rest.length > 0
    ? 'there is a part behind the signature, which nobody looked at'
    : 'it is the same signature in a spelling that is not canonical';
}

test(`${MUTANTS} mutants of valid tokens (seed ${SEED}): refused, and by the others but for the spelling`, async () => {
  const random = seeded(SEED);
  const originals = valid.filter(({ options }) => options === undefined);
  const reasons = new Set<string | undefined>();

  for (let index = 0; index < MUTANTS; index += 1) {
    const original = (originals[index % originals.length] as Case).make(keys) as string;
    const mutant = mutate(original, random);
    expect(await refusal(ours, mutant, {}), mutant).toBeInstanceOf(TokenError);

    const isAcceptedByJose = (await refusal(jose, mutant, {})) === undefined;
    if (!isAcceptedByJose && !bareCryptoAccepts(mutant)) continue;
    const reason = reasonFor(mutant, original);
    expect(reason, mutant).toBeDefined();
    reasons.add(reason);
  }
  // Mutants that come close are among them.
  expect(reasons.size).toBeGreaterThan(0);
});

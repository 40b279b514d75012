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

/** The error of a verifier; undefined if it accepted the token. */
async function refusal(verifier: Verifier, token: unknown, options: object): Promise<unknown> {
  try {
    await verifier.verify(token, options);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** A minimal verifier, which checks only alg, kid and the signature. */
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

/** The cases that jose accepts and this library refuses, and why. */
const ONLY_JOSE: [group: string, reason: string, names: string[]][] = [
  [
    'a crit',
    'jose supports b64, which JWTs must not use (RFC 7797, section 7); here it is an unknown extension',
    ['of b64'],
  ],
  [
    'a b64',
    'jose ignores b64 unless crit names it, although b64 changes the meaning of the payload',
    ['false', 'true', 'null', '0'].map((value) => `${value}, but not critical`).concat('of the wrong type'),
  ],
  [
    'an enc that is',
    'jose reads a JWE with another function, and ignores enc in a JWS',
    [
      'A256GCM, over a valid signature',
      'an empty string, over a valid signature',
      'null, over a valid signature',
    ],
  ],
  [
    'a typ that is',
    'it folds case by Unicode, which maps the Kelvin sign to k',
    ['kb+jwt with a Kelvin sign where kb+jwt is expected'],
  ],
  [
    'an encoding with',
    'its decoder skips ASCII whitespace, so that one token has many spellings',
    [
      ...inEachPart('a leading space', 'a trailing space', 'a newline in the middle'),
      ...inEachPart('a CRLF in the middle', 'a tab in the middle'),
      'a newline after the token',
    ],
  ],
  [
    'an encoding with',
    'its decoder accepts base64 padding',
    ['two padding characters in the header', 'two padding characters in the signature'],
  ],
  [
    'an encoding with',
    'its decoder ignores trailing bits, so that one token has many spellings',
    inEachPart('non-zero trailing bits'),
  ],
  [
    'an encoding with',
    'its TextDecoder skips a byte order mark, which JSON must not have (RFC 8259, section 8.1)',
    ['a byte order mark: the header', 'a byte order mark: the payload'],
  ],
  [
    'a claim:',
    'jose checks the types of sub and jti only if they are expected, and never those of all members of aud',
    [
      ...['sub', 'jti'].flatMap((claim) =>
        ['42', '0', 'null', 'true', 'false', '{}', '[]', '{"toString":"user-42"}'].map(
          (value) => `${claim}: ${value}`,
        ),
      ),
      'sub: ["user-42"]',
      'jti: ["token-1"]',
      'aud: the expected value among numbers',
      'aud: the expected value after null',
      'aud: the expected value and an object',
      'aud: the expected value and an array',
    ],
  ],
  [
    'a claim:',
    'jose accepts any number as a time; a number that overflows makes a token that never expires',
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
      'a nested member twice',
      'a member with an empty name twice',
      ...Object.keys(TWICE).flatMap((what) => [`a claim twice ${what}`, `a header parameter twice ${what}`]),
    ],
  ],
  [
    'JSON',
    'jose treats it as any other member, which none of its checks reads',
    [
      '__proto__ as a claim',
      '__proto__ as a claim, escaped',
      '__proto__ within a claim',
      '__proto__ as a header parameter',
    ],
  ],
  [
    'JSON',
    'jose uses JSON.parse, and does not work around the V8 bug',
    ESCAPED_NAMES.map((name) => `a claim named ${name}`),
  ],
  ['a size of', 'a number that overflows is Infinity', ['a number of 1 MiB as exp']],
];

describe('against jose', () => {
  test.each(Object.entries(hostile))('%s …: jose accepts only the listed cases', async (group, cases) => {
    const accepted: string[] = [];
    for (const one of cases) {
      const isAsked = abilitiesFor(one, keys).every((ability) => jose.abilities.has(ability));
      if (isAsked && (await refusal(jose, one.make(keys), optionsOf(one, keys))) === undefined) {
        accepted.push(one.name);
      }
    }
    const listed = ONLY_JOSE.filter(([of]) => of === group).flatMap(([, , names]) => names);
    expect(accepted.toSorted()).toEqual(listed.toSorted());
  });

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

/** Why this library refuses cases that bare node:crypto accepts; no other group has such a case. */
const ONLY_CRYPTO: Record<string, string> = {
  'a crit': 'the signature is valid: the signed header requires an extension',
  'a b64': 'the signature is valid: the signed header requires an extension',
  'an enc that is': 'the signature is valid: the signed header claims encryption',
  'a typ that is': 'the signature is valid: the signed token is for another use',
  'an encoding with': 'Node.js decodes invalid base64url, and replaces invalid UTF-8 with U+FFFD',
  JSON: 'the signature is valid: the claims are not read',
  'a claim:': 'the signature is valid: the claims are not read',
  'a size of': 'the signature is valid: length, claims and crit are not checked',
};

describe('against node:crypto', () => {
  const cases = Object.entries(hostile).flatMap(([group, all]) =>
    all.map((one) => [group, one.name, one] as const),
  );

  test.each(cases)('%s %s: no signature or key that it accepts is refused', async (group, _, one) => {
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

/** Why others may accept a mutant that this library refuses; undefined if they must not. */
function reasonFor(mutant: string, original: string): string | undefined {
  const [header, payload, signature, ...rest] = mutant.split('.') as [string, string, string, ...string[]];
  const [goodHeader, goodPayload, goodSignature] = partsOf(original);
  const isSameContent = header === goodHeader && payload === goodPayload;
  const isSameSignature = Buffer.from(signature, 'base64url').equals(Buffer.from(goodSignature, 'base64url'));
  if (!isSameContent || !isSameSignature) return undefined;
  return rest.length > 0
    ? 'there is a further part after the signature'
    : 'it is the same signature in a non-canonical encoding';
}

test(`${MUTANTS} mutants of valid tokens (seed ${SEED}) are refused, by others except for non-canonical encodings`, async () => {
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
  // Proves that some mutants are close to a valid token.
  expect(reasons.size).toBeGreaterThan(0);
});

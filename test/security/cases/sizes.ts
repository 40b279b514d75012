import { type Case, encode, forged, goodClaims, goodHeader, seal, signed, withClaims } from '../support.js';

const SIZE = 'RFC 8725, section 2.4; CWE-400, CWE-770';
const KIB = 1024;
const MIB = KIB * KIB;

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const members = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`member-${index}`, index]));

/** Hostile with any limit of a verifier. */
const garbage: Case[] = [
  { name: '1 MiB of dots', source: `${SIZE}; CVE-2025-30204`, make: () => '.'.repeat(MIB) },
  { name: '1 MiB of dots after a token', source: SIZE, make: (keys) => signed(keys) + '.'.repeat(MIB) },
  { name: '8 MiB of one letter', source: SIZE, make: () => 'A'.repeat(8 * MIB) },
  {
    name: '8 MiB of garbage in three parts',
    source: SIZE,
    make: () => `${'A'.repeat(4 * MIB)}.${'_'.repeat(4 * MIB)}.AA`,
  },
  { name: '8 MiB of surrogates', source: SIZE, make: () => '\ud800'.repeat(8 * MIB) },
  { name: '1 MiB of spaces', source: `${SIZE}; CWE-1333`, make: () => ' '.repeat(MIB) },
  {
    name: '1 MiB of spaces and a token',
    source: `${SIZE}; CWE-1333`,
    make: (keys) => ' '.repeat(MIB) + signed(keys),
  },
  { name: '1 MiB of padding', source: `${SIZE}; CWE-1333`, make: (keys) => signed(keys) + '='.repeat(MIB) },
  {
    name: '1 MiB of signature',
    source: SIZE,
    make: (keys) => `${encode(goodHeader(keys))}.${encode(goodClaims(keys))}.${'A'.repeat(MIB)}`,
  },
  {
    name: 'a header of 20,000 members, signed by the attacker',
    source: SIZE,
    make: (keys) => forged(keys, members(20_000)),
  },
  {
    name: 'a payload of 20,000 members, signed by the attacker',
    source: SIZE,
    make: (keys) => seal(encode(goodHeader(keys)), encode(members(20_000)), keys.attacker.privateKey),
  },
  {
    name: 'a crit of 20,000 names',
    source: SIZE,
    make: (keys) => signed(keys, { ...goodHeader(keys), crit: Object.keys(members(20_000)) }),
  },
  {
    name: 'an aud of 20,000 other values',
    source: SIZE,
    make: (keys) => withClaims(keys, { aud: Object.keys(members(20_000)) }),
  },
  {
    name: 'a number of 1 MiB as exp',
    source: SIZE,
    make: (keys) =>
      signed(
        keys,
        goodHeader(keys),
        `{"iss":"https://auth.example","aud":"orders","exp":${'9'.repeat(MIB)}}`,
      ),
  },
  ...[
    ['arrays', nested(100_000)],
    ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['arrays that never close', '['.repeat(100_000)],
  ].flatMap(([what, value]): Case[] => [
    {
      name: `a payload of ${what}, 100,000 deep`,
      source: `${SIZE}; CWE-674`,
      make: (keys) => signed(keys, goodHeader(keys), value),
    },
    {
      name: `a header that contains ${what}, 100,000 deep`,
      source: `${SIZE}; CWE-674`,
      make: (keys) =>
        seal(
          encode(`${JSON.stringify(goodHeader(keys)).slice(0, -1)},"x":${value}}`),
          encode(goodClaims(keys)),
          keys.attacker.privateKey,
        ),
    },
  ]),
];

/** Tokens that are valid except for their length: only a verifier with a limit refuses them. */
const tooLong: Case[] = [
  { name: '16,385 characters', make: (keys: Parameters<Case['make']>[0]) => ofLength(keys, 16_385) },
  {
    name: '1 MiB of claims',
    make: (keys: Parameters<Case['make']>[0]) => withClaims(keys, { x: 'x'.repeat(MIB) }),
  },
  { name: '20,000 claims', make: (keys: Parameters<Case['make']>[0]) => withClaims(keys, members(20_000)) },
  {
    name: 'a claim nested 100,000 deep',
    make: (keys: Parameters<Case['make']>[0]) =>
      signed(
        keys,
        goodHeader(keys),
        `${JSON.stringify(goodClaims(keys)).slice(0, -1)},"x":${nested(100_000)}}`,
      ),
  },
].map((one) => ({ ...one, source: SIZE, needs: ['maxTokenLength'] }));

/** A valid token of exactly so many characters. */
export function ofLength(keys: Parameters<Case['make']>[0], length: number): string {
  const bare = withClaims(keys, { x: '' }).length;
  for (let filling = Math.floor(((length - bare) * 3) / 4); ; filling += 1) {
    // One more byte is one or two more characters, so a single part cannot have every length.
    for (const inHeader of [0, 1, 2]) {
      const header = { ...goodHeader(keys), y: 'y'.repeat(inHeader) };
      const token = signed(keys, header, { ...goodClaims(keys), x: 'x'.repeat(filling - 8) });
      if (token.length === length) return token;
      if (inHeader === 0 && token.length > length) throw new Error(`No token has ${length} characters`);
    }
  }
}

export const sizes: readonly Case[] = [...garbage, ...tooLong];

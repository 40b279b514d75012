import type { JsonWebKey } from 'node:crypto';
import {
  appendMember,
  type Case,
  encode,
  forged,
  goodClaims,
  goodHeader,
  type Keys,
  seal,
  signed,
} from '../support.js';

function byAttacker(keys: Keys, header: object): string {
  return seal(encode(header), encode(goodClaims(keys)), keys.attacker.privateKey);
}

const jwkOf = (keys: Keys, kid: string): JsonWebKey => ({
  ...keys.attacker.publicKey.export({ format: 'jwk' }),
  kid,
  alg: 'ES256',
  use: 'sig',
});
const spkiOf = (keys: Keys) =>
  keys.attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64');

const SMUGGLED: Record<string, [source: string, parameters: (keys: Keys, kid: string) => object]> = {
  jwk: ['RFC 7515, section 4.1.3; CVE-2018-0114', (keys, kid) => ({ jwk: jwkOf(keys, kid) })],
  jku: [
    'RFC 7515, section 4.1.2; RFC 8725, section 3.10',
    () => ({ jku: 'https://attacker.example/jwks.json' }),
  ],
  'jku that is a data URL': [
    'RFC 7515, section 4.1.2; RFC 8725, section 3.10',
    (keys, kid) => ({
      jku: `data:application/json;base64,${Buffer.from(JSON.stringify({ keys: [jwkOf(keys, kid)] })).toString('base64')}`,
    }),
  ],
  'jku at the issuer’s name': [
    'RFC 8725, section 3.10',
    () => ({ jku: 'https://auth.example@attacker.example/jwks.json' }),
  ],
  x5u: [
    'RFC 7515, section 4.1.5; RFC 8725, section 3.10',
    () => ({ x5u: 'https://attacker.example/x5.pem' }),
  ],
  x5c: ['RFC 7515, section 4.1.6', (keys) => ({ x5c: [spkiOf(keys)] })],
  'jwk, jku, x5u and x5c': [
    'RFC 8725, section 3.10',
    (keys, kid) => ({
      jwk: jwkOf(keys, kid),
      jku: 'https://attacker.example/jwks.json',
      x5u: 'https://attacker.example/x5.pem',
      x5c: [spkiOf(keys)],
    }),
  ],
};

export const smuggledKeys: readonly Case[] = Object.entries(SMUGGLED).flatMap(
  ([what, [source, parameters]]) => [
    {
      name: `${what}, under the trusted kid`,
      source,
      make: (keys: Keys) => forged(keys, parameters(keys, keys.kid)),
    },
    {
      name: `${what}, under the attacker’s kid`,
      source,
      make: (keys: Keys) => forged(keys, { kid: 'attacker', ...parameters(keys, 'attacker') }),
    },
    {
      name: `${what}, without a kid`,
      source,
      make: (keys: Keys) => byAttacker(keys, { alg: 'ES256', typ: 'JWT', ...parameters(keys, 'attacker') }),
    },
  ],
);

const HOSTILE_KIDS: Record<string, unknown> = {
  'another kid': 'other',
  'an empty string': '',
  'a path to a parent folder': '../../../../../../dev/null',
  'a path': '/proc/sys/kernel/randomize_va_space',
  'a Windows path': String.raw`..\..\..\windows\win.ini`,
  'a URL': 'https://attacker.example/key.pem',
  SQL: "x' UNION SELECT 'key';--",
  'a command': '$(id)|id;`id`',
  'a template': '{{constructor.constructor("return process")()}}',
  __proto__: '__proto__',
  constructor: 'constructor',
  prototype: 'prototype',
  toString: 'toString',
  hasOwnProperty: 'hasOwnProperty',
  'the index of an array': '0',
  length: 'length',
  'a NUL': '\u0000',
  'a number': 0,
  'a negative number': -1,
  true: true,
  null: null,
  'an object': { kid: 'the-key' },
  'an object with toString': { toString: 'the-key' },
  'an array': ['other'],
  'an empty array': [],
  '10 KB': 'k'.repeat(10_000),
};

/** The trusted key signs these: only the kid is wrong, but similar. */
const NEAR_KIDS: Record<string, (kid: string) => unknown> = {
  'the expected value and a NUL': (kid) => `${kid}\u0000`,
  'the expected value and a NUL and more': (kid) => `${kid}\u0000.pem`,
  'the expected value and a newline': (kid) => `${kid}\n`,
  'the expected value and a space': (kid) => `${kid} `,
  'the expected value in capitals': (kid) => kid.toUpperCase(),
  'the expected value without its end': (kid) => kid.slice(0, -1),
  'the expected value in an array': (kid) => [kid],
  'the expected value in an object': (kid) => ({ [kid]: kid }),
  'the expected value with a path': (kid) => `./${kid}`,
};

export const kids: readonly Case[] = [
  ...Object.entries(HOSTILE_KIDS).map(([what, kid]) => ({
    name: what,
    source: 'RFC 7515, section 4.1.4; RFC 8725, section 3.10',
    make: (keys: Keys) => forged(keys, { kid }),
  })),
  ...Object.entries(NEAR_KIDS).map(([what, change]) => ({
    name: what,
    source: 'RFC 7515, section 4.1.4 (a case-sensitive string)',
    make: (keys: Keys) => signed(keys, { ...goodHeader(keys), kid: change(keys.kid) }),
  })),
  {
    name: 'absent, with the attacker’s signature',
    source: 'RFC 7515, section 4.1.4',
    make: (keys) => byAttacker(keys, { alg: 'ES256', typ: 'JWT' }),
  },
  {
    name: 'named KID, with the attacker’s signature',
    source: 'RFC 7515, section 4',
    make: (keys) => byAttacker(keys, { alg: 'ES256', typ: 'JWT', KID: keys.kid }),
  },
];

const CRIT: Record<string, object> = {
  'of an unknown extension': { crit: ['x-lock'], 'x-lock': true },
  'of two unknown extensions': { crit: ['x-lock', 'x-bolt'], 'x-lock': true, 'x-bolt': true },
  'of an absent extension': { crit: ['x-lock'] },
  'of exp, which is present': { crit: ['exp'], exp: 4_102_444_800 },
  'of b64': { crit: ['b64'], b64: true },
  'of b64, which is absent': { crit: ['b64'] },
  'of alg': { crit: ['alg'] },
  'of itself': { crit: ['crit'] },
  'of one extension twice': { crit: ['x-lock', 'x-lock'], 'x-lock': true },
  'of __proto__': { crit: ['__proto__'] },
  'of toString': { crit: ['toString'] },
  'of an empty name': { crit: [''], '': true },
  'of no name': { crit: [] },
  'of numbers': { crit: [1], 1: true },
  'of null': { crit: [null] },
  'of arrays': { crit: [['x-lock']], 'x-lock': true },
  'that is a string': { crit: 'x-lock', 'x-lock': true },
  'that is an empty string': { crit: '' },
  'that is an object': { crit: { 0: 'x-lock', length: 1 } },
  'that is null': { crit: null },
  'that is false': { crit: false },
  'that is true': { crit: true },
  'that is zero': { crit: 0 },
};

export const crit: readonly Case[] = [
  ...Object.entries(CRIT).map(([what, parameters]): Case => ({
    name: what,
    source: 'RFC 7515, section 4.1.11; CVE-2025-59420',
    make: (keys) => signed(keys, { ...goodHeader(keys), ...parameters }),
  })),
  {
    name: 'with an escape in its name',
    source: 'RFC 7515, section 4.1.11; RFC 8259, section 7',
    make: (keys) =>
      signed(keys, appendMember(goodHeader(keys), String.raw`"\u0063rit":["x-lock"],"x-lock":true`)),
  },
];

export const b64: readonly Case[] = [
  {
    name: 'false and critical, over an unencoded payload',
    source: 'RFC 7797, section 7 (MUST NOT be used in a JWT)',
    make: (keys) =>
      seal(
        encode({ ...goodHeader(keys), b64: false, crit: ['b64'] }),
        JSON.stringify({ ...goodClaims(keys), iss: 'auth' }),
        keys.privateKey,
      ),
  },
  {
    name: 'false and critical, over an encoded payload',
    source: 'RFC 7797, section 7 (MUST NOT be used in a JWT)',
    make: (keys) => signed(keys, { ...goodHeader(keys), b64: false, crit: ['b64'] }),
  },
  {
    name: 'false, but not critical',
    source: 'RFC 7797, section 6 (crit MUST be present)',
    make: (keys) => signed(keys, { ...goodHeader(keys), b64: false }),
  },
  {
    name: 'of the wrong type',
    source: 'RFC 7797, section 3',
    make: (keys) => signed(keys, { ...goodHeader(keys), b64: 'false' }),
  },
  ...[true, null, 0].map((value): Case => ({
    name: `${value}, but not critical`,
    source: 'RFC 7797, section 7 (MUST NOT be used in a JWT)',
    make: (keys) => signed(keys, { ...goodHeader(keys), b64: value }),
  })),
];

/** enc distinguishes a JWE from a JWS: a reader of both might look for another payload. */
export const enc: readonly Case[] = [
  ['A256GCM', 'A256GCM'],
  ['an empty string', ''],
  ['null', null],
].map(([what, value]) => ({
  name: `${what}, over a valid signature`,
  source: 'RFC 7516, section 9 (the JOSE header of a JWS has none)',
  make: (keys) => signed(keys, { ...goodHeader(keys), enc: value }),
}));

const askingFor = (typ: string) => ({ issuer: 'https://auth.example', audience: 'orders', typ });

const TYP = 'RFC 8725, section 3.11; RFC 7515, section 4.1.9';

function ofType(name: string, typ: unknown, asked = 'JWT'): Case {
  return {
    name,
    source: TYP,
    make: (keys) => signed(keys, { ...goodHeader(keys), typ }),
    options: askingFor(asked),
  };
}

const NOT_JWT: Record<string, unknown> = {
  'at+jwt': 'at+jwt',
  'dpop+jwt': 'dpop+jwt',
  'logout+jwt': 'logout+jwt',
  'an empty string': '',
  'JWT and a space': 'JWT ',
  'JWT and a NUL': 'JWT\u0000',
  'JWT with a Cyrillic Т': 'JWТ',
  'text/jwt': 'text/jwt',
  'application/ alone': 'application/',
  'application/ twice': 'application/application/jwt',
  'a number': 1,
  null: null,
  'an array': ['JWT'],
};

export const types: readonly Case[] = [
  ...Object.entries(NOT_JWT).map(([what, typ]): Case => ({
    name: `${what} where none is expected`,
    source: TYP,
    make: (keys) => signed(keys, { ...goodHeader(keys), typ }),
    needs: ['refusesOtherTypes'],
  })),
  ofType('at+jwt where JWT is expected', 'at+jwt'),
  ofType('JWT where at+jwt is expected', 'JWT', 'at+jwt'),
  ofType('none where at+jwt is expected', undefined, 'at+jwt'),
  ofType('logout+jwt where at+jwt is expected', 'logout+jwt', 'at+jwt'),
  ofType('dpop+jwt', 'dpop+jwt'),
  ofType('JOSE+JSON', 'JOSE+JSON'),
  ofType('an empty string', ''),
  ofType('JWT and a space', 'JWT '),
  ofType('at+jwt with a parameter', 'at+jwt; v=1', 'at+jwt'),
  ofType('application/ twice', 'application/application/at+jwt', 'at+jwt'),
  {
    ...ofType('kb+jwt with a Kelvin sign where kb+jwt is expected', '\u212ab+jwt', 'kb+jwt'),
    source: `${TYP}; RFC 6838, section 4.2 (ASCII only)`,
  },
  ofType('a number', 1),
  ofType('null', null),
  ofType('an array', ['JWT']),
  ofType('an object', { toString: 'JWT' }),
  {
    name: 'cty JWT, around another token',
    source: 'RFC 7519, sections 5.2 and 7.2, step 8',
    make: (keys) => signed(keys, { ...goodHeader(keys), cty: 'JWT' }, signed(keys)),
  },
];

import type { VerifyOptions } from 'nestjs-kms-jwt';
import {
  AUDIENCE,
  type Case,
  goodClaims,
  goodHeader,
  ISSUER,
  type Keys,
  signed,
  withClaims,
  withRawClaim,
} from '../support.js';

const SECTIONS: Record<string, string> = {
  iss: 'RFC 7519, section 4.1.1',
  sub: 'RFC 7519, section 4.1.2',
  aud: 'RFC 7519, section 4.1.3',
  exp: 'RFC 7519, section 4.1.4',
  nbf: 'RFC 7519, section 4.1.5',
  iat: 'RFC 7519, section 4.1.6',
  jti: 'RFC 7519, section 4.1.7',
};
const sourceOf = (claim: string) => SECTIONS[claim] ?? 'OpenID Connect Core 1.0, section 3.1.3.7';

const NOT_A_TIME = [
  '"9999999999"',
  '""',
  '"never"',
  '"Infinity"',
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '[9999999999]',
  '{"valueOf":9999999999}',
  '1e400',
  '-1e400',
  '-1',
  '-9999999999',
];
const NOT_A_TEXT = ['42', '0', 'null', 'true', 'false', '{}', '[]', '{"toString":"user-42"}'];

const ofWrongType: Case[] = [
  ...['exp', 'nbf', 'iat'].flatMap((claim) => NOT_A_TIME.map((value) => [claim, value] as const)),
  ...['iss', 'sub', 'jti'].flatMap((claim) => NOT_A_TEXT.map((value) => [claim, value] as const)),
  ...NOT_A_TEXT.map((value) => ['aud', value] as const),
  ['sub', '["user-42"]'] as const,
  ['jti', '["token-1"]'] as const,
].map(([claim, value]) => ({
  name: `${claim}: ${value}`,
  source: sourceOf(claim),
  make: (keys) => withRawClaim(keys, claim, value),
}));

function asked(name: string, claim: string, value: unknown, options: VerifyOptions): Case {
  return { name, source: sourceOf(claim), make: (keys) => withClaims(keys, { [claim]: value }), options };
}

const audience = { audience: AUDIENCE };
const issuer = { issuer: ISSUER };

const AUDIENCES: Record<string, unknown> = {
  'an empty array': [],
  'an empty string': '',
  'an array with an empty string': [''],
  'another value': 'bills',
  'other values': ['bills', 'stock'],
  'the expected value among numbers': ['orders', 5],
  'the expected value after null': [null, 'orders'],
  'the expected value and an object': ['orders', {}],
  'the expected value and an array': ['orders', ['bills']],
  'the expected value, nested one array too deep': [['orders']],
  'the expected value as a member name': { orders: true },
  'the expected value at index 0': { 0: 'orders', length: 1 },
  'a prefix': 'order',
  'a longer value': 'orders-admin',
  'a value that ends with it': 'my-orders',
  'in capitals': 'ORDERS',
  'with a trailing space': 'orders ',
  'with a trailing newline': 'orders\n',
  'with a trailing NUL': 'orders\u0000',
  'in a comma-separated string': 'orders,bills',
  'in a space-separated string': 'bills orders',
  'a Cyrillic о': 'оrders',
  'a decomposed string': 'o\u0308rders',
  'a pattern': '.*',
  'a star': '*',
};
const ISSUERS: Record<string, unknown> = {
  'an array of the expected value': [ISSUER],
  'an array with another value': ['https://attacker.example', ISSUER],
  'an empty string': '',
  'another value': 'https://attacker.example',
  'a prefix': 'https://auth.exampl',
  'a substring': 'auth',
  'a longer value': `${ISSUER}.attacker.example`,
  'with a trailing slash': `${ISSUER}/`,
  'in capitals': ISSUER.toUpperCase(),
  'with http': ISSUER.replace('https', 'http'),
  'with a port': `${ISSUER}:443`,
  'with a user': ISSUER.replace('auth', 'attacker@auth'),
  'with a path': `${ISSUER}/../attacker`,
  'with a leading space': ` ${ISSUER}`,
  'with a trailing newline': `${ISSUER}\n`,
  'percent-encoded': ISSUER.replace('a', '%61'),
};

const byExpression = (name: string, claim: string, value: unknown, options: VerifyOptions): Case => ({
  ...asked(name, claim, value, options),
  needs: ['expectsByExpression'],
});

const besideExpressions: Case[] = [
  byExpression('aud with a trailing newline, expected by an anchored expression', 'aud', 'orders\n', {
    ...issuer,
    audience: /^orders$/,
  }),
  byExpression('aud that an anchored expression matches only in part', 'aud', 'my-orders', {
    ...issuer,
    audience: [/^orders$/, /^bills$/],
  }),
  byExpression(
    'iss with a foreign prefix, expected by an anchored expression',
    'iss',
    `https://a.example/?${ISSUER}`,
    {
      ...audience,
      issuer: /^https:\/\/[a-z]+\.example$/,
    },
  ),
  {
    ...byExpression(
      'iss with a foreign prefix, expected by a sticky expression',
      'iss',
      `https://a.example/?${ISSUER}`,
      {
        ...audience,
        issuer: /https:\/\/auth\.example$/y,
      },
    ),
    source: `${sourceOf('iss')}; ECMA-262, section 22.2.7.2 (matches at its start)`,
  },
];

const missing = (claim: string, options: VerifyOptions): Case => ({
  name: `no ${claim}, which ${Object.keys(options).join(' and ')} requires`,
  source: sourceOf(claim),
  make: (keys) => withClaims(keys, { [claim]: undefined }),
  options,
});

const at = (name: string, claim: string, offset: number, options: object = {}): Case => ({
  name,
  source: sourceOf(claim),
  make: (keys) => withClaims(keys, { [claim]: keys.now + offset }),
  options: (keys) => ({ ...issuer, ...audience, clockTimestamp: keys.now, ...options }),
});

const inTime: Case[] = [
  at('exp a second ago', 'exp', -1),
  at('exp now, at which the token has expired', 'exp', 0),
  at('exp half a second ago', 'exp', -0.5),
  at('nbf in a second', 'nbf', 1),
  at('nbf in half a second', 'nbf', 0.5),
  at('nbf in a hundred years', 'nbf', 3_155_760_000),
  at('exp beyond the tolerance', 'exp', -10, { clockTolerance: 10 }),
  at('nbf beyond the tolerance', 'nbf', 11, { clockTolerance: 10 }),
  at('iat in the future, with maxAge', 'iat', 60, { maxAge: '1h' }),
  at('iat a second in the future, with maxAge', 'iat', 1, { maxAge: '1h' }),
  at('iat older than maxAge', 'iat', -3601, { maxAge: '1h' }),
  {
    name: 'exp long ago, by the clock of the verifier',
    source: sourceOf('exp'),
    make: (keys) => withClaims(keys, { exp: 1 }),
  },
  {
    name: 'nbf in an hour, by the clock of the verifier',
    source: sourceOf('nbf'),
    make: (keys) => withClaims(keys, { nbf: keys.now + 3600 }),
  },
  ...['0', '-0', '0.0', '1e-400', '-1e-400'].map((value) => ({
    name: `exp: ${value}`,
    source: sourceOf('exp'),
    make: (keys: Keys) => withRawClaim(keys, 'exp', value),
  })),
];

/** Numbers beyond the range of Date, which a verifier must refuse if its errors contain a Date. */
const beyondDates: Case[] = ['exp', 'nbf', 'iat'].flatMap((claim) =>
  ['1e308', '9007199254740993000', '8640000000000001'].map((value) => ({
    name: `${claim} beyond the range of Date: ${value}`,
    source: 'ECMA-262, section 21.4.1.1',
    make: (keys: Keys) => withRawClaim(keys, claim, value),
    needs: ['reportsDates'] as const,
  })),
);

/** Tokens that need proof of possession, which a verifier must refuse if it cannot check the proof. */
const bound: Case[] = [
  {
    name: 'a DPoP key',
    source: 'RFC 9449, section 6.1',
    json: '{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}',
  },
  {
    name: 'a certificate',
    source: 'RFC 8705, section 3.1',
    json: '{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}',
  },
  {
    name: 'a key',
    source: 'RFC 7800, section 3.2',
    json: '{"jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}',
  },
  { name: 'the id of a key', source: 'RFC 7800, section 3.4', json: '{"kid":"the-key"}' },
  { name: 'an empty object', source: 'RFC 7800, section 3.1', json: '{}' },
  { name: 'null', source: 'RFC 7800, section 3.1', json: 'null' },
].map(({ name, source, json }) => ({
  name: `cnf: ${name}`,
  source,
  make: (keys) => withRawClaim(keys, 'cnf', json),
  needs: ['refusesBoundTokens'],
}));

const missingWhereRequired: Case[] = [
  missing('iss', { issuer: ISSUER }),
  missing('aud', { audience: AUDIENCE }),
  missing('sub', { ...issuer, subject: 'user-42' }),
  missing('jti', { ...issuer, jwtid: 'token-1' }),
  missing('nonce', { ...issuer, nonce: 'n-1' }),
  missing('iat', { ...issuer, maxAge: '1h' }),
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'scope'].map((claim) =>
    missing(claim, { requiredClaims: [claim] }),
  ),
  {
    name: 'no claim at all',
    source: sourceOf('aud'),
    make: (keys) => signed(keys, goodHeader(keys), {}),
  },
  {
    name: 'member names in capitals',
    source: 'RFC 7519, section 4 (names are case-sensitive)',
    make: (keys) => {
      const { iss, aud, ...rest } = goodClaims(keys);
      return signed(keys, goodHeader(keys), { ...rest, ISS: iss, AUD: aud });
    },
  },
  {
    name: 'claims only in the header',
    source: 'RFC 7519, section 5.3',
    make: (keys) => signed(keys, { ...goodHeader(keys), ...goodClaims(keys) }, { sub: 'root' }),
  },
];

const SAME: [claim: string, option: 'subject' | 'jwtid' | 'nonce', expected: string][] = [
  ['sub', 'subject', 'user-42'],
  ['jti', 'jwtid', 'token-1'],
  ['nonce', 'nonce', 'n-1'],
];
const sameAs: Case[] = SAME.flatMap(([claim, option, expected]) =>
  [
    expected.slice(0, -1),
    `${expected}0`,
    expected.toUpperCase(),
    `${expected} `,
    `${expected}\u0000`,
    '',
    [expected],
    { toString: expected },
    0,
    null,
  ].map((value) =>
    asked(`${claim} ${JSON.stringify(value)}, where ${option} is ${expected}`, claim, value, {
      ...issuer,
      [option]: expected,
    }),
  ),
);

export const claims: readonly Case[] = [
  ...ofWrongType,
  ...Object.entries(AUDIENCES).map(([what, value]) => ({
    ...asked(`aud: ${what}`, 'aud', value, { ...issuer, ...audience }),
    source: `${sourceOf('aud')}; CVE-2020-26160`,
  })),
  ...Object.entries(ISSUERS).map(([what, value]) => ({
    ...asked(`iss: ${what}`, 'iss', value, { ...issuer, ...audience }),
    source: `${sourceOf('iss')}; CVE-2024-53861, CVE-2025-30144`,
  })),
  ...besideExpressions,
  ...bound,
  ...missingWhereRequired,
  ...inTime,
  ...beyondDates,
  ...sameAs,
];

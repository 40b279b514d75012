import {
  type Case,
  goodClaims,
  goodHeader,
  type Keys,
  signed,
  withClaims,
  withRawClaim,
} from '../support.js';
import { ofLength } from './sizes.js';
import { ORDER, toBytes, toInteger } from './signatures.js';
import { withSignature } from '../support.js';

const JWT = 'RFC 7519, section 4.1';

function headed(name: string, header: object, options?: Case['options']): Case {
  return {
    name,
    source: 'RFC 7515, section 4',
    make: (keys) => signed(keys, { ...goodHeader(keys), ...header }),
    ...(options && { options }),
  };
}
function claiming(name: string, claims: (keys: Keys) => object, source = JWT): Case {
  return { name, source, make: (keys) => withClaims(keys, claims(keys)) };
}

/** Tokens that a verifier must accept. */
export const valid: readonly Case[] = [
  {
    name: 'no claim, where none is required',
    source: 'RFC 7519, section 4 (all are optional)',
    make: (keys) => signed(keys, goodHeader(keys), {}),
    options: {},
  },
  claiming('issuer, audience and other claims', () => ({})),
  claiming('no exp', () => ({ exp: undefined })),
  claiming('every registered claim', ({ now }) => ({ nbf: now - 1 })),
  claiming('aud as an array of one', () => ({ aud: ['orders'] })),
  claiming('aud as an array with other audiences', () => ({ aud: ['bills', 'orders', ''] })),
  claiming('exp with a fraction', ({ now }) => ({ exp: now + 60.5 }), 'RFC 7519, section 2 (NumericDate)'),
  claiming('nbf and iat with a fraction', ({ now }) => ({ nbf: now - 0.5, iat: now - 0.25 })),
  {
    name: 'exp with an exponent',
    source: 'RFC 8259, section 6',
    make: (keys) => withRawClaim(keys, 'exp', '99999e5'),
  },
  claiming('exp in the year 9999', () => ({ exp: 253_402_300_799 })),
  claiming('nbf at 0', () => ({ nbf: 0 })),
  { name: 'nbf at -0', source: 'RFC 8259, section 6', make: (keys) => withRawClaim(keys, 'nbf', '-0') },
  {
    name: 'nbf now',
    source: 'RFC 7519, section 4.1.5',
    make: (keys) => withClaims(keys, { nbf: keys.now }),
    options: ({ now }) => ({ clockTimestamp: now }),
  },
  {
    name: 'exp in half a second',
    source: 'RFC 7519, section 4.1.4',
    make: (keys) => withClaims(keys, { exp: keys.now + 0.5 }),
    options: ({ now }) => ({ clockTimestamp: now }),
  },
  {
    name: 'exp in the past, within the tolerance',
    source: 'RFC 7519, section 4.1.4 (leeway)',
    make: (keys) => withClaims(keys, { exp: keys.now - 5 }),
    options: ({ now }) => ({ clockTimestamp: now, clockTolerance: 10 }),
  },
  {
    name: 'younger than maxAge',
    source: 'RFC 7519, section 4.1.6',
    make: (keys) => withClaims(keys, { iat: keys.now - 60 }),
    options: { maxAge: '1h' },
  },
  {
    name: 'subject, jwtid and nonce as expected',
    source: JWT,
    make: (keys) => withClaims(keys, { nonce: 'n-1' }),
    options: { subject: 'user-42', jwtid: 'token-1', nonce: 'n-1' },
  },
  {
    name: 'a required claim that is null',
    source: 'RFC 7519, section 4.3',
    make: (keys) => withClaims(keys, { tenant: null }),
    options: { requiredClaims: ['tenant'] },
  },
  {
    name: 'issuer and audience that expressions match',
    source: JWT,
    make: (keys) => signed(keys),
    options: { issuer: /^https:\/\/auth\.example$/, audience: ['bills', /ORDERS/iy] },
    needs: ['expectsByExpression'],
  },
  {
    name: 'another trusted key',
    source: 'RFC 7515, section 4.1.4',
    make: (keys) => signed({ ...keys, ...keys.other }),
  },
  headed('no typ', { typ: undefined }),
  headed('typ in lower case', { typ: 'jwt' }),
  headed('typ application/jwt', { typ: 'application/jwt' }),
  headed('typ at+jwt where it is expected', { typ: 'at+jwt' }, { typ: 'at+jwt' }),
  headed('typ application/at+jwt where at+jwt is expected', { typ: 'application/at+jwt' }, { typ: 'at+jwt' }),
  headed('further header parameters', { cty: 'json', 'x-tenant': { id: 1 }, x5t: 'AAAA' }),
  headed('a jku and a jwk, which are ignored', {
    jku: 'https://else.example/jwks.json',
    jwk: { kty: 'oct' },
  }),
  headed('header parameters named like prototype members', {
    constructor: 1,
    toString: null,
    valueOf: [],
  }),
  {
    name: 'header members in another order, with whitespace',
    source: 'RFC 7515, section 3.3',
    make: (keys) => signed(keys, `\r\n{ "kid" : "${keys.kid}",\t"alg":"ES256" }\n`),
  },
  {
    name: 'alg and kid spelled with escapes',
    source: 'RFC 8259, section 7',
    make: (keys) =>
      signed(
        keys,
        String.raw`{"\u0061lg":"\u0045S256","kid":"${keys.kid.replace('t', String.raw`\u0074`)}"}`,
      ),
  },
  {
    name: 'the payload with whitespace',
    source: 'RFC 8259, section 2',
    make: (keys) => signed(keys, goodHeader(keys), JSON.stringify(goodClaims(keys), null, 2)),
  },
  claiming('characters of all Unicode planes', () => ({
    name: 'Zoë 李 \u{1f511} \u0000 \u2028',
    '\u{1f511}': 'ключ',
  })),
  {
    name: 'a lone surrogate, escaped',
    source: 'RFC 8259, section 8.2',
    make: (keys) => withRawClaim(keys, 'name', String.raw`"\ud800"`),
  },
  claiming('objects and arrays in claims', () => ({ a: { b: [{ c: [[], {}, null, true, -1.5e-7] }] } })),
  claiming('strings that look like members', () => ({
    ':': '":"',
    quoted: '\\":{"b":1}\\',
    list: [{ a: 1 }, { a: 1, b: { a: 1 } }],
  })),
  claiming('a claim with an empty name', () => ({ '': 'empty' })),
  {
    name: 'a claim nested 500 deep',
    source: 'RFC 8259, section 9',
    make: (keys) => withRawClaim(keys, 'deep', `${'['.repeat(500)}${']'.repeat(500)}`),
  },
  claiming('500 claims', () =>
    Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`c${index}`, index])),
  ),
  {
    name: '16,384 characters',
    source: 'the default of maxTokenLength',
    make: (keys) => ofLength(keys, 16_384),
  },
];

/** Tokens about which RFCs leave the decision to the verifier. This library accepts them, for the given reason. */
export const leftOpen: readonly (Case & { reason: string })[] = [
  {
    name: 's replaced by n - s',
    source: 'FIPS 186-5, section 6.4',
    reason: 'it is a valid ECDSA signature, and KMS returns a high s for half of all signatures',
    make: (keys) =>
      withSignature(keys, (good) =>
        Buffer.concat([good.subarray(0, 32), toBytes(ORDER - toInteger(good.subarray(32)))]),
      ),
  },
  {
    name: 'iat in the future, without maxAge',
    source: 'RFC 7519, section 4.1.6',
    reason: 'no RFC forbids it, and nbf exists for that purpose',
    make: (keys) => withClaims(keys, { iat: keys.now + 60 }),
  },
  {
    name: 'nbf after exp, both within the tolerance',
    source: 'RFC 7519, sections 4.1.4 and 4.1.5',
    reason: 'each of them is checked with the tolerance',
    make: (keys) => withClaims(keys, { nbf: keys.now + 5, exp: keys.now - 5 }),
    options: ({ now }) => ({ clockTimestamp: now, clockTolerance: 10 }),
  },
  {
    name: 'cty JWT around claims',
    source: 'RFC 7519, section 5.2',
    reason: 'the payload is a claims set despite its cty, and contains no nested token',
    make: (keys) => signed(keys, { ...goodHeader(keys), cty: 'JWT' }),
  },
  {
    name: 'zip in the header',
    source: 'RFC 7516, section 4.1.3; RFC 7515, section 4 (unknown parameters must be ignored)',
    reason: 'it belongs to JWE, and nothing is decompressed: the payload is read as signed',
    make: (keys) => signed(keys, { ...goodHeader(keys), zip: 'DEF' }),
  },
  {
    name: 'iss and aud of another party in the header',
    source: 'RFC 7519, section 5.3 (for a JWT that is encrypted)',
    reason: 'the section is about JWE, and claims are read only from the payload',
    make: (keys) => signed(keys, { ...goodHeader(keys), iss: 'https://attacker.example', aud: 'bills' }),
  },
];

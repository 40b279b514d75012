import { describe, expect, test } from 'vitest';
import type { IssuerOptions } from '../../src/options/issuers.options.js';
import type { KmsJwtModuleOptions } from '../../src/options/kms-jwt.options.js';
import { type IssuerSettings, readIssuer } from '../../src/options/read-issuers.js';
import { readModuleOptions } from '../../src/options/read-options.js';
import { newRsaPair } from '../support/issuer.js';
import { verificationKey } from '../support/verification-key.js';

const issuer = 'https://login.example.com';
const CORP: IssuerOptions = {
  issuer,
  audience: 'orders',
  algorithms: ['RS256'],
  keys: { discovery: true },
};
const corpWith = (changes: object): IssuerOptions => ({ ...CORP, ...changes });
const read = (changes: object = {}) => readIssuer('issuers[0]', corpWith(changes), undefined);
const readAll = (issuers: unknown, others: Partial<KmsJwtModuleOptions> = {}) =>
  readModuleOptions({ issuers, ...others } as KmsJwtModuleOptions);
const refusal = (option: string, message: RegExp) =>
  expect.objectContaining({
    name: 'KmsJwtOptionsError',
    option,
    message: expect.stringMatching(message) as string,
  });

describe('an issuer record', () => {
  test('has all requirements for tokens of its issuer', () => {
    const { name, algorithms, keys, expect: expected } = read({ typ: 'AT+jwt', requiredClaims: ['sub'] });
    expect(name).toBe(issuer);
    expect(algorithms.map(({ alg }) => alg)).toEqual(['RS256']);
    expect(keys).toEqual({ discovery: true });
    expect(expected).toEqual({
      issuer: [issuer],
      audience: ['orders'],
      typ: 'at+jwt',
      requiredClaims: ['sub'],
    });
  });

  test('has the clockTolerance of the module, and no other verifyOptions', () => {
    const verifyOptions = {
      clockTolerance: 5,
      maxAge: 60,
      requiredClaims: ['tenant'],
      ignoreExpiration: true,
    };
    const { issuers } = readAll([CORP], { keyId: 'alias/auth', verifyOptions });
    expect((issuers as IssuerSettings[])[0]?.expect).toEqual({
      issuer: [issuer],
      audience: ['orders'],
      clockTolerance: 5,
    });
  });

  test('needs no audience if claims name the client, as with Cognito', () => {
    const { expect: expected } = read({ audience: 'x', claims: { client_id: ['web', /^mobile-/], n: 1 } });
    expect(expected.claims).toEqual([
      ['client_id', ['web', /^mobile-/]],
      ['n', [1]],
    ]);
    const { audience: _, ...withoutAudience } = CORP;
    expect(() => readAll([{ ...withoutAudience, claims: { client_id: 'web' } }])).not.toThrow();
    expect(() => readAll([withoutAudience])).toThrow(
      refusal('issuers[0].audience', /tokens for other applic/),
    );
  });

  test.each<[string, object, string, RegExp]>([
    ['no issuer', { issuer: '' }, 'issuer', /non-empty string/],
    ['a RegExp as issuer', { issuer: /./ }, 'issuer', /non-empty string/],
    ['no algorithms', { algorithms: [] }, 'algorithms', /must be an algorithm/],
    ['HS256', { algorithms: ['HS256'] }, 'algorithms', /must be an algorithm/],
    [
      'two algorithms for one type of key',
      { algorithms: ['RS256', 'PS256'] },
      'algorithms',
      /one algorithm for/,
    ],
    ['an empty array of audiences', { audience: [] }, 'audience', /not empty/],
    ['an unknown option', { maxAge: '5m' }, 'maxAge', /is unknown/],
    ['empty claims', { claims: {} }, 'claims', /not empty/],
    ['an undefined claim value', { claims: { client_id: undefined } }, 'claims', /expected values/],
    ['an empty array of claim values', { claims: { client_id: [] } }, 'claims', /expected values/],
    ['an object as a claim value', { claims: { realm: { a: 1 } } }, 'claims', /expected values/],
    ['scopes that are not a function', { scopes: ['a'] }, 'scopes', /must be a function/],
    ["the name 'own'", { name: 'own' }, 'name', /distinguished/],
    [
      'allowInsecureHttp that is not a boolean',
      { allowInsecureHttp: 'yes' },
      'allowInsecureHttp',
      /true or false/,
    ],
  ])('with %s is refused', (_, changes, option, message) => {
    expect(() => read(changes)).toThrow(refusal(`issuers[0].${option}`, message));
  });

  test.each(['issuer', 'algorithms', 'keys'])(
    'without %s is refused, because a foreign key set must not decide',
    (one) => {
      const given = Object.fromEntries(Object.entries(CORP).filter(([name]) => name !== one));
      expect(() => readAll([given])).toThrow(refusal(`issuers[0].${one}`, /is missing/));
    },
  );

  test.each(['audience', 'algorithms', 'keys', 'typ', 'requiredClaims', 'claims', 'scopes', 'issuer'])(
    'whose %s is undefined is refused, because that would silently skip a check',
    (one) => expect(() => read({ [one]: undefined })).toThrow(refusal(`issuers[0].${one}`, /is undefined/)),
  );

  test('whose name or allowInsecureHttp is undefined has the default', () => {
    expect(read({ name: undefined, allowInsecureHttp: undefined })).toMatchObject({
      name: issuer,
      allowInsecureHttp: false,
    });
  });

  test('is copied: a later change of an array has no effect', () => {
    const audience = ['orders'];
    const { expect: expected } = read({ audience });
    audience.push('everything');
    expect(expected.audience).toEqual(['orders']);
  });
});

describe('the keys of an issuer record', () => {
  const { jwk } = verificationKey('a');
  test.each<[string, object]>([
    ['a key set', { jwksUri: 'https://login.example.com/keys' }],
    ['a key set on loopback', { jwksUri: 'http://127.0.0.1:8080/keys' }],
    ['a key set and its snapshot', { jwksUri: 'https://login.example.com/keys', snapshot: './jwks.json' }],
    ['metadata', { discovery: true }],
  ])('can be from %s', (_, keys) => {
    expect(read({ keys }).keys).toEqual(keys);
  });

  test('can be a key set, of which the keys for the algorithms are used', () => {
    const rsa = { ...newRsaPair().publicKey.export({ format: 'jwk' }), kid: 'rsa' };
    const { keys } = read({
      keys: { jwks: { keys: [jwk, rsa, { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' }] } },
    });
    expect(keys).toEqual({ jwks: { keys: [{ ...rsa, alg: 'RS256', use: 'sig' }] } });
  });

  test.each<[string, object, string, RegExp]>([
    ['an empty object', {}, 'keys', /must be \{ jwksUri \}/],
    ['two sources', { jwksUri: `${issuer}/keys`, discovery: true }, 'keys', /must be \{ jwksUri \}/],
    ['an unknown source', { file: 'jwks.json' }, 'keys', /must be \{ jwksUri \}/],
    ['discovery: false', { discovery: false }, 'keys', /must be \{ jwksUri \}/],
    ["discovery: 'yes'", { discovery: 'yes' }, 'keys', /must be \{ jwksUri \}/],
    ['an undefined URL', { jwksUri: undefined }, 'keys.jwksUri', /must be an https URL/],
    ['http', { jwksUri: 'http://login.example.com/keys' }, 'keys.jwksUri', /allowInsecureHttp/],
    [
      'a URL with credentials',
      { jwksUri: 'https://a:b@login.example.com' },
      'keys.jwksUri',
      /without credentials/,
    ],
    ['a file', { jwksUri: 'file:///keys.json' }, 'keys.jwksUri', /must be an https URL/],
    ['an undefined key set', { jwks: undefined }, 'keys', /must be \{ jwksUri \}/],
    ['a key set without a suitable key', { jwks: { keys: [jwk] } }, 'keys.jwks', /for RS256/],
    ['only a snapshot', { snapshot: './jwks.json' }, 'keys.snapshot', /needs keys\.jwksUri/],
    [
      'discovery with a snapshot',
      { discovery: true, snapshot: './jwks.json' },
      'keys.snapshot',
      /needs keys\.jwksUri/,
    ],
    [
      'an empty snapshot path',
      { jwksUri: `${issuer}/keys`, snapshot: '' },
      'keys.snapshot',
      /path of a file/,
    ],
  ])('from %s are refused', (_, keys, option, message) => {
    expect(() => read({ keys })).toThrow(refusal(`issuers[0].${option}`, message));
  });

  test.each(['corp', 'http://login.example.com', `${issuer}?tenant=a`, `${issuer}#a`])(
    'cannot be discovered from the issuer %s',
    (other) =>
      expect(() => read({ issuer: other })).toThrow(
        refusal('issuers[0].issuer', /for discovery without a query/),
      ),
  );

  test('may come over http from other hosts only with allowInsecureHttp on the record', () => {
    const insecure = { issuer: 'http://login.mesh', allowInsecureHttp: true };
    expect(read(insecure).keys).toEqual({ discovery: true });
    expect(read({ ...insecure, keys: { jwksUri: 'http://keys.mesh/jwks' } }).keys).toBeDefined();
    const others = { ...CORP, issuer: 'http://other.mesh' };
    expect(() => readAll([corpWith(insecure), others])).toThrow(refusal('issuers[1].issuer', /https URL/));
    const ftp = { jwksUri: 'ftp://keys.mesh/jwks' };
    expect(() => read({ ...insecure, keys: ftp })).toThrow(refusal('issuers[0].keys.jwksUri', /https URL/));
  });
});

describe('the option issuers', () => {
  const OWN = { keyId: 'alias/auth', signOptions: { issuer: 'https://api.example.com' } };

  test('works with and without a key', () => {
    expect(() => readAll([CORP], OWN)).not.toThrow();
    expect(() => readAll([CORP])).not.toThrow();
    expect(() => readAll(async () => undefined)).not.toThrow();
  });

  test.each([[[]], [{}], ['corp'], [[undefined]], [[null]], [new Map()]])('cannot be %j', (given) => {
    expect(() => readAll(given)).toThrow(refusal('issuers', /array of issuers, not empty, or a function/));
  });

  test.each<[string, object, string]>([
    ['two records of one issuer', corpWith({ name: 'other' }), 'issuers[1].issuer'],
    [
      'a record with the issuer of own tokens',
      corpWith({ issuer: OWN.signOptions.issuer }),
      'issuers[1].issuer',
    ],
    ['two records with one name', corpWith({ issuer: `${issuer}/2`, name: issuer }), 'issuers[1].name'],
  ])('with %s is refused, because their tokens could not be distinguished', (_, record, option) => {
    expect(() => readAll([CORP, record], OWN)).toThrow(refusal(option, /tokens could not be distinguished/));
  });

  test('distinguishes issuers by a trailing slash', () => {
    expect(() => readAll([CORP, corpWith({ issuer: `${issuer}/` })])).not.toThrow();
  });

  test.each<[string, unknown]>([
    ['an array', [CORP]],
    ['a function', async () => undefined],
  ])(
    'as %s excludes an expression as the own issuer, because iss selects the keys by exact match',
    (_, issuers) => {
      const verifyOptions = { issuer: ['https://api.example.com', /example\.com$/] };
      expect(() => readAll(issuers, { keyId: 'alias/auth', verifyOptions })).toThrow(
        refusal('verifyOptions.issuer', /must be a string or an array of strings if issuers is set/),
      );
      expect(() => readAll(undefined, { keyId: 'alias/auth', verifyOptions })).not.toThrow();
    },
  );

  test("excludes verification: 'kms', because KMS does not have the keys of other issuers", () => {
    expect(() => readAll([CORP], { ...OWN, verification: 'kms' })).toThrow(
      refusal('verification', /issuers/),
    );
  });

  test('has the limit limits.maxIssuers, a positive whole number', () => {
    expect(readAll([CORP]).limits.maxIssuers).toBe(1000);
    expect(() => readAll([CORP], { limits: { maxIssuers: 0 } })).toThrow(
      refusal('limits.maxIssuers', /positive/),
    );
  });
});

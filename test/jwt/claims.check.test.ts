import { describe, expect, test } from 'vitest';
import { TokenClaimError, TokenExpiredError, TokenNotActiveError } from '../../src/errors/errors.js';
import {
  checkClaims,
  type ClaimsToExpect,
  type ExpectedClaim,
  type JwtClaims,
} from '../../src/jwt/claims.js';

const NOW = 1_700_000_000;

describe('checkClaims', () => {
  const check =
    (claims: unknown, expect_: ClaimsToExpect = {}, now = NOW) =>
    () =>
      checkClaims(claims as JwtClaims, expect_, now);

  test('accepts any claims without expectations', () => {
    expect(check({})).not.toThrow();
    expect(check({ iss: 'i', sub: 's', aud: ['a'], jti: 'j', custom: [1] })).not.toThrow();
  });

  test.each([
    ['exp', String(NOW + 60)],
    ['exp', Number.POSITIVE_INFINITY],
    ['exp', 1e300],
    ['exp', -1],
    ['exp', null],
    ['exp', [NOW]],
    ['nbf', '0'],
    ['iat', true],
    ['iss', ['issuer']],
    ['sub', 42],
    ['jti', {}],
    ['aud', 7],
    ['aud', ['a', 1]],
    ['aud', { a: 'a' }],
  ])('refuses %s of the wrong type: %o', (claim, value) => {
    expect(check({ [claim]: value })).toThrow(expect.objectContaining({ name: 'TokenClaimError', claim }));
  });

  test.each([
    ['iss', 'must be a string'],
    ['sub', 'must be a string'],
    ['jti', 'must be a string'],
    ['aud', 'must be a string or an array of strings'],
    ['exp', 'must be a number of seconds since 1970'],
    ['nbf', 'must be a number of seconds since 1970'],
    ['iat', 'must be a number of seconds since 1970'],
  ])('says that %s %s', (claim, expected) => {
    expect(check({ [claim]: false })).toThrow(
      new TokenClaimError(claim, 'type', `The ${claim} claim ${expected}`),
    );
  });

  test.each([[{ jkt: 'thumbprint' }], [{ 'x5t#S256': 'thumbprint' }], [{}], [null], ['key']])(
    'refuses cnf, which binds a token to a key or certificate (RFC 9449, RFC 8705): %o',
    (cnf) => {
      expect(check({ cnf })).toThrow(
        new TokenClaimError(
          'cnf',
          'unsupported',
          'The cnf claim binds the token to a key or certificate, and proof of possession is not supported',
        ),
      );
      expect(check({ cnf }, { requiredClaims: ['cnf'] })).toThrow(TokenClaimError);
    },
  );

  test('refuses a time beyond the range of Date, which an error could not report', () => {
    const lastDate = 8.64e12;
    expect(check({ exp: lastDate, iat: 0 })).not.toThrow();
    expect(check({ exp: lastDate + 1 })).toThrow(TokenClaimError);
    expect(check({ nbf: lastDate })).toThrow(new TokenNotActiveError(new Date(lastDate * 1000)));
  });

  test('a token expires at exp, not a second later (RFC 7519, section 4.1.4)', () => {
    expect(check({ exp: NOW + 1 })).not.toThrow();
    expect(check({ exp: NOW + 0.5 })).not.toThrow();
    expect(check({ exp: NOW })).toThrow(TokenExpiredError);
    expect(check({ exp: NOW })).toThrow(expect.objectContaining({ expiredAt: new Date(NOW * 1000) }));
    expect(check({ exp: 0 })).toThrow(TokenExpiredError);
  });

  test('a token is active from nbf (RFC 7519, section 4.1.5)', () => {
    expect(check({ nbf: NOW })).not.toThrow();
    expect(check({ nbf: NOW + 1 })).toThrow(TokenNotActiveError);
    expect(check({ nbf: NOW + 1 })).toThrow(expect.objectContaining({ date: new Date((NOW + 1) * 1000) }));
  });

  test('clockTolerance extends exp, nbf and maxAge by its number of seconds', () => {
    expect(check({ exp: NOW - 4 }, { clockTolerance: 5 })).not.toThrow();
    expect(check({ exp: NOW - 5 }, { clockTolerance: 5 })).toThrow(TokenExpiredError);
    expect(check({ nbf: NOW + 5 }, { clockTolerance: 5 })).not.toThrow();
    expect(check({ nbf: NOW + 6 }, { clockTolerance: 5 })).toThrow(TokenNotActiveError);
    expect(check({ iat: NOW - 64 }, { maxAge: 60, clockTolerance: 5 })).not.toThrow();
    expect(check({ iat: NOW - 65 }, { maxAge: 60, clockTolerance: 5 })).toThrow(TokenExpiredError);
    expect(check({ iat: NOW + 5 }, { maxAge: 60, clockTolerance: 5 })).not.toThrow();
    expect(check({ iat: NOW + 6 }, { maxAge: 60, clockTolerance: 5 })).toThrow(TokenClaimError);
  });

  test('ignoreExpiration and ignoreNotBefore each skip one check', () => {
    expect(check({ exp: 1 }, { ignoreExpiration: true })).not.toThrow();
    expect(check({ nbf: NOW + 9 }, { ignoreNotBefore: true })).not.toThrow();
    expect(check({ exp: 1, nbf: NOW + 9 }, { ignoreExpiration: true })).toThrow(TokenNotActiveError);
    expect(check({ exp: 1 }, { ignoreNotBefore: true })).toThrow(TokenExpiredError);
    expect(check({ exp: 'soon' }, { ignoreExpiration: true })).toThrow(TokenClaimError);
  });

  test('maxAge counts from iat, which must be present and not in the future', () => {
    expect(check({ iat: NOW - 59 }, { maxAge: 60 })).not.toThrow();
    expect(check({ iat: NOW - 60 }, { maxAge: 60 })).toThrow(
      expect.objectContaining({
        expiredAt: new Date(NOW * 1000),
        message: 'The token is older than maxAge',
      }),
    );
    expect(check({}, { maxAge: 60 })).toThrow(
      new TokenClaimError('iat', 'missing', 'The iat claim is missing'),
    );
    expect(check({ iat: NOW }, { maxAge: 60 })).not.toThrow();
    expect(check({ iat: NOW + 1 }, { maxAge: 60 })).toThrow(
      new TokenClaimError('iat', 'mismatch', 'The iat claim is in the future'),
    );
  });

  describe.each([
    ['aud', 'audience'],
    ['iss', 'issuer'],
  ] as const)('%s', (claim, option) => {
    test.each([
      ['the same string', 'orders', ['orders'], true],
      ['one of several', 'orders', ['users', 'orders'], true],
      ['a match of an expression', 'orders-eu', [/^orders-[a-z]{2}$/], true],
      ['another string', 'users', ['orders'], false],
      ['a prefix of it', 'order', ['orders'], false],
      ['a longer string', 'orders2', ['orders'], false],
      ['another case', 'Orders', ['orders'], false],
      ['an empty string', '', ['orders'], false],
      ['no match of an expression', 'orders-usa', [/^orders-[a-z]{2}$/], false],
      ['a match of a sticky expression at the start', 'orders', [/orders$/y], true],
      ['a later match of a sticky expression', 'my-orders', [/orders$/y], false],
    ])('compares %s: %o with %o, accepted: %s', (_, value, expected, accepted) => {
      const run = check({ [claim]: value }, { [option]: expected });
      if (accepted) expect(run).not.toThrow();
      else
        expect(run).toThrow(
          new TokenClaimError(claim, 'mismatch', `The ${claim} claim does not match the expected ${option}`),
        );
    });

    test.each([['g'], ['y'], ['gy']])('ignores the lastIndex of an expression with the flag %s', (flags) => {
      const expected = new RegExp('orders', flags);
      expected.lastIndex = 3;
      for (const run of [1, 2, 3]) {
        expect(check({ [claim]: 'orders' }, { [option]: [expected] }), `time ${run}`).not.toThrow();
      }
    });

    test('refuses a missing claim', () => {
      expect(check({}, { [option]: ['orders'] })).toThrow(
        new TokenClaimError(claim, 'missing', `The ${claim} claim is missing`),
      );
    });
  });

  test('one expected audience among several suffices; an empty array does not', () => {
    expect(check({ aud: ['users', 'orders'] }, { audience: ['orders'] })).not.toThrow();
    expect(check({ aud: ['users', 'bills'] }, { audience: ['orders'] })).toThrow(TokenClaimError);
    expect(check({ aud: [] }, { audience: ['orders'] })).toThrow(TokenClaimError);
  });

  test.each([
    ['sub', 'subject'],
    ['jti', 'jwtid'],
    ['nonce', 'nonce'],
  ])('%s must equal the option %s', (claim, option) => {
    expect(check({ [claim]: 'x' }, { [option]: 'x' })).not.toThrow();
    expect(check({ [claim]: 'xy' }, { [option]: 'x' })).toThrow(
      new TokenClaimError(claim, 'mismatch', `The ${claim} claim does not match the expected ${option}`),
    );
    expect(check({}, { [option]: 'x' })).toThrow(
      new TokenClaimError(claim, 'missing', `The ${claim} claim is missing`),
    );
  });

  test('requiredClaims must be present, with any value', () => {
    expect(check({ role: null }, { requiredClaims: ['role'] })).not.toThrow();
    expect(check({}, { requiredClaims: ['role'] })).toThrow(
      new TokenClaimError('role', 'missing', 'The role claim is missing'),
    );
    expect(check({}, { requiredClaims: ['toString'] })).toThrow(
      new TokenClaimError('toString', 'missing', 'The toString claim is missing'),
    );
  });

  test('no error quotes a value', () => {
    const run = check({ aud: 'secret-audience', sub: 'secret-subject' }, { audience: ['a'], subject: 'b' });
    expect(run).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
  });
});

describe('the option claims', () => {
  const claims = {
    token_use: 'access',
    groups: ['a', 'b'],
    email_verified: true,
    level: 2,
    nothing: null,
  } as JwtClaims;
  const check = (claim: string, ...expected: ExpectedClaim[]) =>
    checkClaims(claims, { claims: [[claim, expected]] }, 0);

  test.each<[string, ExpectedClaim[]]>([
    ['token_use', ['access']],
    ['token_use', ['id', 'access']],
    ['token_use', [/^acc/]],
    ['groups', ['b']],
    ['groups', [/^A$/i]],
    ['email_verified', [true]],
    ['level', [2]],
  ])('accepts %s if %j is expected', (claim, expected) => {
    expect(() => check(claim, ...expected)).not.toThrow();
  });

  test.each<[string, ExpectedClaim[]]>([
    ['token_use', ['id']],
    ['token_use', ['Access']],
    ['token_use', [/^id/]],
    ['groups', ['a,b']],
    ['email_verified', ['true']],
    ['email_verified', [/true/]],
    ['level', ['2']],
    ['level', [/2/]],
    ['nothing', ['null']],
  ])('refuses %s if %j is expected', (claim, expected) => {
    const error = new TokenClaimError(
      claim,
      'mismatch',
      `The ${claim} claim does not match the expected value`,
    );
    expect(() => check(claim, ...expected)).toThrow(error);
  });

  test.each(['missing', 'toString', '__proto__'])('refuses a missing claim named %s', (claim) => {
    expect(() => check(claim, /./)).toThrow(
      new TokenClaimError(claim, 'missing', `The ${claim} claim is missing`),
    );
  });

  test('requires all claims to match', () => {
    const expected = [
      ['token_use', ['access']],
      ['level', [3]],
    ] as const;
    expect(() => checkClaims(claims, { claims: expected }, 0)).toThrow(TokenClaimError);
  });
});

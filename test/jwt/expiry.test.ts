import { expect, test } from 'vitest';
import { expiryOf } from '../../src/jwt/claims.js';

test.each([
  ['exp', { exp: 100 }, {}, 100],
  ['exp plus clockTolerance', { exp: 100 }, { clockTolerance: 5 }, 105],
  ['iat plus maxAge', { iat: 50 }, { maxAge: 20 }, 70],
  ['maxAge before exp', { iat: 50, exp: 100 }, { maxAge: 20 }, 70],
  ['exp before maxAge', { iat: 50, exp: 60 }, { maxAge: 20 }, 60],
  ['only maxAge with ignoreExpiration', { iat: 50, exp: 60 }, { maxAge: 20, ignoreExpiration: true }, 70],
  ['nothing with ignoreExpiration', { exp: 60 }, { ignoreExpiration: true }, Infinity],
  ['nothing without maxAge', { iat: 50 }, {}, Infinity],
  ['nothing without claims', {}, { maxAge: 20, clockTolerance: 5 }, Infinity],
])('the end of a token is determined by %s', (_, claims, expected, end) => {
  expect(expiryOf(claims, expected)).toBe(end);
});

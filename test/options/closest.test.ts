import { describe, expect, test } from 'vitest';
import { closest } from '../../src/options/closest.js';

const KNOWN = ['keyId', 'kid', 'client', 'algorithm', 'isGlobal', 'name', 'signOptions', 'jwksUri', 'jwks'];

describe('the closest known name', () => {
  test.each([
    ['isGlobl', 'isGlobal', 'a letter is missing'],
    ['isGloball', 'isGlobal', 'a letter is doubled'],
    ['isGlboal', 'isGlobal', 'two letters are swapped'],
    ['isglobal', 'isGlobal', 'in another case'],
    ['jwks_uri', 'jwksUri', 'with an underscore'],
    ['global', 'isGlobal', 'a part of the name, as in @nestjs/jwt'],
    ['algorithms', 'algorithm', 'the name is a part of it'],
    ['singOption', 'signOptions', 'two mistakes in a long name'],
    ['kidd', 'kid', 'one mistake in a short name'],
  ])('for %s is %s: %s', (unknown, meant) => {
    expect(closest(unknown, KNOWN)).toBe(meant);
  });

  test('is the best of several', () => {
    expect(closest('jwk', ['jwksUri', 'jwks', 'kid'])).toBe('jwks');
  });

  test.each(['secret', 'kd1', 'k', '', 'x'.repeat(10_000)])('is undefined for %j', (unknown) => {
    expect(closest(unknown, KNOWN)).toBeUndefined();
  });
});

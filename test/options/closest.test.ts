import { describe, expect, test } from 'vitest';
import { closest } from '../../src/options/closest.js';

const KNOWN = ['keyId', 'kid', 'client', 'algorithm', 'isGlobal', 'name', 'signOptions', 'jwksUri', 'jwks'];

describe('a name that is probably meant', () => {
  test.each([
    ['isGlobl', 'isGlobal', 'a letter is missing'],
    ['isGloball', 'isGlobal', 'a letter is doubled'],
    ['isGlboal', 'isGlobal', 'two letters are swapped'],
    ['isglobal', 'isGlobal', 'in another case'],
    ['jwks_uri', 'jwksUri', 'with an underscore'],
    ['global', 'isGlobal', 'a part of it, as in @nestjs/jwt'],
    ['algorithms', 'algorithm', 'it is a part'],
    ['singOption', 'signOptions', 'two mistakes in a long name'],
    ['kidd', 'kid', 'one mistake in a short name'],
  ])('%s: %s, as %s', (unknown, meant) => {
    expect(closest(unknown, KNOWN)).toBe(meant);
  });

  test('the closest of several', () => {
    expect(closest('jwk', ['jwksUri', 'jwks', 'kid'])).toBe('jwks');
  });

  test.each(['secret', 'kd1', 'k', '', 'x'.repeat(10_000)])('none for %j', (unknown) => {
    expect(closest(unknown, KNOWN)).toBeUndefined();
  });
});

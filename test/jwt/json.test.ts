import { describe, expect, test } from 'vitest';
import { lossInJson, MISTAKABLE, parseUnambiguousJson } from '../../src/jwt/json.js';

describe('parseUnambiguousJson', () => {
  test.each([
    ['{}'],
    ['[]'],
    ['null'],
    ['"a:b"'],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}'],
    [String.raw`{":":"\\\"::,","\u0061":[":"],"":"{\"a\":1}"}`],
    ['{"constructor":{"prototype":{}},"toString":null}'],
    [String.raw`{"ä":"\n","a b":1}`],
  ])('reads %s as JSON.parse does', (json) => {
    expect(parseUnambiguousJson(json)).toEqual(JSON.parse(json));
  });

  test.each([
    ['{"a":1,"a":1}'],
    [String.raw`{"a":1,"\u0061":1}`],
    ['{"b":[{"a":1,"c":":","a":2}]}'],
    ['{"":1,"":1}'],
  ])('refuses the duplicate member name in %s', (json) => {
    expect(() => parseUnambiguousJson(json)).toThrow(new SyntaxError('Duplicate member name'));
  });

  test.each([
    ['{"__proto__":1}'],
    [String.raw`{"\u005f_proto__":{}}`],
    ['[[{"a":{"__proto__":null}}]]'],
    [String.raw`{"a":{"\\":1}}`],
    [String.raw`{"\n":1}`],
    [String.raw`{"a":1,"\n":2}`],
    [String.raw`{"a\"b":1}`],
    [String.raw`{"\"":1}`],
    [String.raw`{"\ud800":1}`],
  ])('refuses the mistakable member name in %s', (json) => {
    expect(() => parseUnambiguousJson(json)).toThrow(new SyntaxError('Mistakable member name'));
  });

  test.each([['{'], ['']])('refuses %o', (json) => {
    expect(() => parseUnambiguousJson(json)).toThrow(SyntaxError);
  });

  test('reads JSON of any depth', () => {
    const json = `${'{"a":['.repeat(20_000)}${']}'.repeat(20_000)}`;
    expect(parseUnambiguousJson(json)).toBeTypeOf('object');
  });
});

const NOT_JSON = 'must contain only strings, numbers, booleans, null, arrays and plain objects';

describe('lossInJson', () => {
  test.each([
    ['NaN', Number.NaN, 'must not contain NaN or Infinity'],
    ['a Date', new Date(), 'must not contain a Date: use seconds since 1970 or a string'],
    ['a Map', new Map(), NOT_JSON],
    ['a function', () => 1, NOT_JSON],
    ['an object with a hidden toJSON', Object.defineProperty({}, 'toJSON', { value: () => 'x' }), NOT_JSON],
    ['a member named __proto__', JSON.parse('{"__proto__":1}') as unknown, MISTAKABLE],
    ['a member whose name is a control character', { good: 1, '\n': 1 }, MISTAKABLE],
  ])('finds %s at any depth', (_, value, loss) => {
    expect(lossInJson(value)).toBe(loss);
    expect(lossInJson([{ good: 1, a: { b: value } }])).toBe(loss);
  });

  test('finds nothing in JSON values and in undefined members', () => {
    expect(lossInJson([{ a: { constructor: 1, toJSON: true }, b: undefined }, '', 0, false, null])).toBe(
      undefined,
    );
  });
});

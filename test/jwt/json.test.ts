import { describe, expect, test } from 'vitest';
import { lossInJson, parseUnambiguousJson } from '../../src/jwt/json.js';

describe('parseUnambiguousJson', () => {
  test.each([
    ['{}'],
    ['[]'],
    ['null'],
    ['"a:b"'],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}'],
    [String.raw`{"a\":1,\"a":":","\\":"\\\"::","":[":"]}`],
    ['{"constructor":{"prototype":{}},"toString":null}'],
  ])('reads %s as JSON.parse does', (json) => {
    expect(parseUnambiguousJson(json)).toEqual(JSON.parse(json));
  });

  test.each([
    ['{"a":1,"a":1}'],
    [String.raw`{"a":1,"\u0061":1}`],
    ['{"b":[{"a":1,"c":":","a":2}]}'],
    ['{"":1,"":1}'],
    ['{"__proto__":1}'],
    [String.raw`{"\u005f_proto__":{}}`],
    ['[[{"a":{"__proto__":null}}]]'],
    ['{'],
    [''],
  ])('refuses %s', (json) => {
    expect(() => parseUnambiguousJson(json)).toThrow(SyntaxError);
  });

  test('reads any depth', () => {
    const json = `${'{"a":['.repeat(100_000)}${']}'.repeat(100_000)}`;
    expect(parseUnambiguousJson(json)).toBeTypeOf('object');
  });
});

describe('lossInJson', () => {
  test('finds a member called __proto__, however deep', () => {
    expect(lossInJson([{ a: JSON.parse('{"__proto__":1}') as unknown }])).toMatch(/__proto__/);
    expect(lossInJson([{ a: { constructor: 1 } }])).toBeUndefined();
  });
});

import * as library from 'nestjs-kms-jwt';
import { KmsJwtError, TokenError } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';

type ErrorClass = new (...args: never[]) => KmsJwtError;

const concrete = Object.entries<unknown>({ ...library }).filter(
  (entry): entry is [string, ErrorClass] =>
    typeof entry[1] === 'function' && entry[1].prototype instanceof KmsJwtError && entry[1] !== TokenError,
);

describe('the name of an error', () => {
  test('exists for every code', () => {
    const codes = concrete.map(([, one]) => create(one).code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes).toContain('token_expired');
  });

  test.each(concrete)('is still %s after a minifier has renamed the class', (name, one) => {
    Object.defineProperty(one, 'name', { value: 'a', configurable: true });
    try {
      expect(create(one).name).toBe(name);
    } finally {
      Object.defineProperty(one, 'name', { value: name });
    }
  });
});

/** An empty array works as the first argument of every constructor: message, date, scopes, claim or reason. */
function create(one: ErrorClass): KmsJwtError {
  return Reflect.construct(one, [[]]) as KmsJwtError;
}

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, test, vi } from 'vitest';
import { TokenClaimError, TokenExpiredError } from '../../src/errors/errors.js';
import { tokenOf, verify } from './token-verifier.support.js';

const schemaOf = (validate: (claims: unknown) => unknown) =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as StandardSchemaV1;

const refuse = (validate: (claims: unknown) => unknown) =>
  verify(tokenOf({ sub: 'user-42' }), { schema: schemaOf(validate) }).catch((error: unknown) => error);

describe('a schema', () => {
  test('gives the claims another form', async () => {
    const schema = schemaOf((claims) => ({ value: [claims] }));
    const { claims, jws } = await verify(tokenOf({ sub: 'user-42' }), { schema });
    expect(claims).toEqual([{ sub: 'user-42' }]);
    expect(jws.payload).toEqual({ sub: 'user-42' });
  });

  test('may take its time', async () => {
    const schema = schemaOf(async () => ({ value: 'late' }));
    expect((await verify(tokenOf(), { schema })).claims).toBe('late');
  });

  test.each([
    ['sub', ['sub']],
    ['sub', ['sub', 0, 'deeper']],
    ['sub', [{ key: 'sub' }]],
    ['https://app.example/roles_1-2', ['https://app.example/roles_1-2']],
    ['x'.repeat(100), ['x'.repeat(100)]],
  ])('names the claim %s that does not fit', async (claim, path) => {
    expect(
      await refuse(() => ({
        issues: [
          { message: 'user-42', path },
          { message: '', path: ['b'] },
        ],
      })),
    ).toEqual(new TokenClaimError(claim, 'schema', `The ${claim} claim does not match the schema`));
  });

  test.each([
    ['tells no issue', () => ({ issues: [] })],
    ['tells no path', () => ({ issues: [{ message: 'user-42' }] })],
    ['tells an empty path', () => ({ issues: [{ message: 'user-42', path: [] }] })],
    ['tells an index', () => ({ issues: [{ message: 'user-42', path: [7] }] })],
    ['tells a symbol', () => ({ issues: [{ message: 'user-42', path: [Symbol('sub')] }] })],
    ['tells nothing', () => ({ issues: [{ message: 'user-42', path: [null] }] })],
    ['tells an empty name', () => ({ issues: [{ message: 'user-42', path: [''] }] })],
    ['tells a name of more than one line', () => ({ issues: [{ message: '', path: ['a\nb'] }] })],
    ['tells a name that begins with a space', () => ({ issues: [{ message: '', path: [' a'] }] })],
    ['tells a name of 101 characters', () => ({ issues: [{ message: '', path: ['x'.repeat(101)] }] })],
    ['throws', () => JSON.parse('"user-42') as unknown],
    ['rejects', () => Promise.reject(new Error('user-42'))],
    ['answers nothing', () => undefined],
  ])('that %s names no claim, and nothing of what it says is passed on', async (_, validate) => {
    expect(await refuse(validate)).toEqual(
      new TokenClaimError('(all)', 'schema', 'The claims do not match the schema'),
    );
  });

  test('is not asked about claims that are refused anyway', async () => {
    const validate = vi.fn(() => ({ value: {} }));
    await expect(verify(tokenOf({ exp: 1 }), { schema: schemaOf(validate) })).rejects.toBeInstanceOf(
      TokenExpiredError,
    );
    expect(validate).not.toHaveBeenCalled();
  });
});

import { runInNewContext } from 'node:vm';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, test, vi } from 'vitest';
import { SchemaUnavailableError, TokenClaimError, TokenExpiredError } from '../../src/errors/errors.js';
import { tokenOf, verify } from './token-verifier.support.js';

const schemaOf = (validate: (claims: unknown) => unknown) =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as StandardSchemaV1;

const refuse = (validate: (claims: unknown) => unknown) =>
  verify(tokenOf({ sub: 'user-42' }), { schema: schemaOf(validate) }, { timeout: 50 }).catch(
    (error: unknown) => error,
  );

describe('a schema', () => {
  test('may transform the claims', async () => {
    const schema = schemaOf((claims) => ({ value: [claims] }));
    const { claims } = await verify(tokenOf({ sub: 'user-42' }), { schema });
    expect(claims).toEqual([{ sub: 'user-42' }]);
  });

  test('may be asynchronous', async () => {
    const schema = schemaOf(async () => ({ value: 'late' }));
    expect((await verify(tokenOf(), { schema })).claims).toBe('late');
  });

  test.each([
    ['sub', ['sub']],
    ['sub', ['sub', 0, 'deeper']],
    ['sub', [{ key: 'sub' }]],
    ['https://app.example/roles_1-2', ['https://app.example/roles_1-2']],
    ['x'.repeat(100), ['x'.repeat(100)]],
  ])('names the claim %s that does not match', async (claim, path) => {
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
    ['reports no issue', () => ({ issues: [] })],
    ['reports no path', () => ({ issues: [{ message: 'user-42' }] })],
    ['reports an empty path', () => ({ issues: [{ message: 'user-42', path: [] }] })],
    ['reports an index', () => ({ issues: [{ message: 'user-42', path: [7] }] })],
    ['reports a symbol', () => ({ issues: [{ message: 'user-42', path: [Symbol('sub')] }] })],
    ['reports null in the path', () => ({ issues: [{ message: 'user-42', path: [null] }] })],
    ['reports an empty name', () => ({ issues: [{ message: 'user-42', path: [''] }] })],
    ['reports a name with a line break', () => ({ issues: [{ message: '', path: ['a\nb'] }] })],
    ['reports a name that begins with a space', () => ({ issues: [{ message: '', path: [' a'] }] })],
    ['reports a name of 101 characters', () => ({ issues: [{ message: '', path: ['x'.repeat(101)] }] })],
    ['throws', () => JSON.parse('"user-42') as unknown],
    ['returns undefined', () => undefined],
    ['returns null', () => null],
    ['resolves to undefined', async () => undefined],
    ['resolves to an issue', async () => ({ issues: [{ message: 'user-42' }] })],
    [
      'returns a getter that throws',
      () => ({
        get issues() {
          throw new Error('user-42');
        },
      }),
    ],
  ])('that %s names no claim, and is not quoted', async (_, validate) => {
    expect(await refuse(validate)).toEqual(
      new TokenClaimError('(all)', 'schema', 'The claims do not match the schema'),
    );
  });

  test.each([
    ['rejects', (cause: Error) => Promise.reject(cause)],
    [
      'rejects late',
      async (cause: Error) => {
        await Promise.resolve();
        throw cause;
      },
    ],
    [
      'rejects with a promise of another realm',
      runInNewContext('(cause) => Promise.reject(cause)') as (cause: Error) => Promise<never>,
    ],
  ])('that %s is unavailable, and the cause has only the name and the code of the error', async (_, fail) => {
    const unreachable = Object.assign(new TypeError('SELECT user-42'), { code: 'ECONNREFUSED' });
    const refusal = await refuse(() => fail(unreachable));
    expect(refusal).toBeInstanceOf(SchemaUnavailableError);
    expect(refusal).toMatchObject({
      code: 'schema_unavailable',
      retryable: true,
      message: 'The schema failed',
      cause: {
        name: 'TypeError',
        code: 'ECONNREFUSED',
        message: 'Omitted, as it may quote the claims',
      },
    });
  });

  test('may throw SchemaUnavailableError itself', async () => {
    const own = new SchemaUnavailableError('the tenants are being loaded');
    expect(await refuse(() => Promise.reject(own))).toBe(own);
  });

  test('has the time limit limits.timeout', async () => {
    expect(await refuse(() => new Promise(() => {}))).toEqual(
      new SchemaUnavailableError('The schema did not answer within 50 ms'),
    );
  });

  test('is not called for claims that are refused before', async () => {
    const validate = vi.fn(() => ({ value: {} }));
    await expect(verify(tokenOf({ exp: 1 }), { schema: schemaOf(validate) })).rejects.toBeInstanceOf(
      TokenExpiredError,
    );
    expect(validate).not.toHaveBeenCalled();
  });
});

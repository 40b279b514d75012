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
  test('gives the claims another form', async () => {
    const schema = schemaOf((claims) => ({ value: [claims] }));
    const { claims } = await verify(tokenOf({ sub: 'user-42' }), { schema });
    expect(claims).toEqual([{ sub: 'user-42' }]);
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
    ['answers nothing', () => undefined],
    ['answers null', () => null],
    ['resolves to nothing', async () => undefined],
    ['resolves to an issue', async () => ({ issues: [{ message: 'user-42' }] })],
    [
      'answers a getter that throws',
      () => ({
        get issues() {
          throw new Error('user-42');
        },
      }),
    ],
  ])('that %s names no claim, and nothing of what it says is passed on', async (_, validate) => {
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
  ])('that %s cannot tell, and the cause says no more than the kind of its error', async (_, fail) => {
    const away = Object.assign(new TypeError('SELECT user-42'), { code: 'ECONNREFUSED' });
    const refusal = await refuse(() => fail(away));
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

  test('may say by itself why it cannot tell', async () => {
    const own = new SchemaUnavailableError('the tenants are being loaded');
    expect(await refuse(() => Promise.reject(own))).toBe(own);
  });

  test('has as long as timeout says', async () => {
    expect(await refuse(() => new Promise(() => {}))).toEqual(
      new SchemaUnavailableError('The schema did not answer within 50 ms'),
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

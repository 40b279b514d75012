import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, test, vi } from 'vitest';
import {
  RevocationUnavailableError,
  TokenClaimError,
  TokenExpiredError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenRevokedError,
  TokenSignatureError,
} from '../../src/errors/errors.js';
import { toJwk, type VerificationKey } from '../../src/jwt/jwk.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { KmsJwtSettings, VerifySettings } from '../../src/options/kms-jwt.options.js';
import { TokenVerifier } from '../../src/service/token-verifier.js';
import { forge, newKeyPair, part } from '../support/forge.js';

const NOW = 1_700_000_000;
const { publicKey, privateKey } = newKeyPair();
const KEY: VerificationKey = {
  kid: 'a',
  algorithm: ES256,
  publicKey,
  jwk: { ...toJwk(publicKey, ES256), kid: 'a' },
};
const HEADER = { alg: 'ES256', typ: 'JWT', kid: 'a' };
const tokenOf = (claims: object = {}, header: object = {}) =>
  forge({ ...HEADER, ...header }, claims, privateKey);

/** A verifier that trusts one key, and what it tells its ring. */
function newVerifier(settings: Partial<KmsJwtSettings> = {}) {
  const ring = {
    find: vi.fn<KeyRing['find']>(async (kid) => (kid === KEY.kid ? KEY : undefined)),
    noteLifetime: vi.fn<KeyRing['noteLifetime']>(),
  };
  const given = { maxTokenLength: 1000, timeout: 1000, isRevoked: undefined, ...settings };
  return { ring, verifier: new TokenVerifier(ring as unknown as KeyRing, given) };
}

function verify(token: unknown, options: VerifySettings = {}, settings: Partial<KmsJwtSettings> = {}) {
  return newVerifier(settings).verifier.verify(token, options, NOW);
}

test('a token that verifies is given in its parts', async () => {
  const token = tokenOf({ sub: 'user-42' });
  expect(await verify(token)).toEqual({
    jws: {
      header: HEADER,
      payload: { sub: 'user-42' },
      signature: Buffer.from(token.split('.')[2] ?? '', 'base64url'),
      signingInput: token.slice(0, token.lastIndexOf('.')),
    },
    claims: { sub: 'user-42' },
  });
});

test('a token may be as long as maxTokenLength says', async () => {
  const token = tokenOf();
  await expect(verify(token, {}, { maxTokenLength: token.length })).resolves.toBeDefined();
  await expect(verify(token, {}, { maxTokenLength: token.length - 1 })).rejects.toBeInstanceOf(
    TokenMalformedError,
  );
});

describe('the key', () => {
  test('is the one that kid names', async () => {
    await expect(verify(tokenOf({}, { kid: 'b' }))).rejects.toThrow(new TokenKeyUnknownError());
  });

  test('is looked for under a kid as long as that of a key may be', async () => {
    const { ring, verifier } = newVerifier();
    const kid = 'k'.repeat(256);
    await expect(verifier.verify(tokenOf({}, { kid }), {}, NOW)).rejects.toThrow(new TokenKeyUnknownError());
    expect(ring.find).toHaveBeenCalledWith(kid);
  });

  test.each([[undefined], [1], [['a']], [''], ['k'.repeat(257)]])(
    'is not looked for under a kid of %o',
    async (kid) => {
      const { ring, verifier } = newVerifier();
      await expect(verifier.verify(tokenOf({}, { kid }), {}, NOW)).rejects.toThrow(
        new TokenKeyUnknownError(),
      );
      expect(ring.find).not.toHaveBeenCalled();
    },
  );

  test.each([['none'], ['ES384'], ['HS256'], ['es256'], [undefined], [['ES256']]])(
    'decides on the algorithm: %o is refused, though the signature is good (RFC 8725, section 3.1)',
    async (alg) => {
      await expect(verify(tokenOf({}, { alg }))).rejects.toThrow(
        new TokenSignatureError('The algorithm of the token is not that of the key'),
      );
    },
  );

  test('refuses the signature of another', async () => {
    await expect(verify(forge(HEADER, {}, newKeyPair().privateKey))).rejects.toThrow(
      new TokenSignatureError('The signature of the token does not verify'),
    );
  });
});

test.each([
  ['crit', { crit: ['exp'] }],
  ['an empty crit', { crit: [] }],
  ['b64', { b64: true }],
  ['both', { crit: ['b64'], b64: false }],
])('a token with %s is refused (RFC 7515, section 4.1.11)', async (_, header) => {
  await expect(verify(tokenOf({}, header))).rejects.toThrow(
    new TokenMalformedError('The token asks for extensions that are not supported'),
  );
});

test.each([['A256GCM'], [null]])('a token with enc %o is refused (RFC 7516, section 9)', async (enc) => {
  await expect(verify(tokenOf({}, { enc }))).rejects.toThrow(
    new TokenMalformedError('The token says that it is encrypted'),
  );
});

describe('a token of typ', () => {
  test.each<[typ: unknown, expected: string | undefined, accepted: boolean]>([
    ['JWT', undefined, true],
    ['jwt', undefined, true],
    ['application/jwt', undefined, true],
    [undefined, undefined, true],
    ['at+jwt', undefined, false],
    [1, undefined, false],
    [null, undefined, false],
    ['at+jwt', 'at+jwt', true],
    ['application/AT+JWT', 'at+jwt', true],
    ['JWT', 'at+jwt', false],
    [undefined, 'at+jwt', false],
    [['at+jwt'], 'at+jwt', false],
  ])('%o where %o is expected: %o', async (typ, expected, accepted) => {
    const verified = verify(tokenOf({}, { typ }), expected === undefined ? {} : { typ: expected });
    if (accepted) await expect(verified).resolves.toBeDefined();
    else
      await expect(verified).rejects.toThrow(new TokenMalformedError('The token is not of the expected typ'));
  });
});

describe('claims', () => {
  test('are held against what the options ask', async () => {
    await expect(verify(tokenOf({ aud: 'users' }), { audience: ['orders'] })).rejects.toThrow(
      new TokenClaimError('aud', 'is not what is expected here'),
    );
  });

  test('are held against the time, or clockTimestamp where it is given', async () => {
    await expect(verify(tokenOf({ exp: NOW }))).rejects.toBeInstanceOf(TokenExpiredError);
    await expect(verify(tokenOf({ exp: NOW }), { clockTimestamp: NOW - 1 })).resolves.toBeDefined();
    await expect(verify(tokenOf({ exp: 1 }), { clockTimestamp: 0 })).resolves.toBeDefined();
  });
});

describe('the ring is told', () => {
  test('how long a token lives on, as its key is needed for as long', async () => {
    const { ring, verifier } = newVerifier();
    await verifier.verify(tokenOf({ exp: NOW + 60 }), { clockTimestamp: NOW - 1000 }, NOW);
    expect(ring.noteLifetime.mock.calls).toEqual([[60]]);
  });

  test.each([
    ['without exp', tokenOf()],
    ['that has expired', tokenOf({ exp: NOW })],
    ['of another key', forge(HEADER, { exp: NOW + 60 }, newKeyPair().privateKey)],
  ])('nothing of a token %s', async (_, token) => {
    const { ring, verifier } = newVerifier();
    await verifier.verify(token, {}, NOW).catch(() => undefined);
    expect(ring.noteLifetime).not.toHaveBeenCalled();
  });
});

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
    ).toEqual(new TokenClaimError(claim, 'does not fit the schema'));
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
    expect(await refuse(validate)).toEqual(new TokenClaimError('(all)', 'does not fit the schema'));
  });

  test('is not asked about claims that are refused anyway', async () => {
    const validate = vi.fn(() => ({ value: {} }));
    await expect(verify(tokenOf({ exp: 1 }), { schema: schemaOf(validate) })).rejects.toBeInstanceOf(
      TokenExpiredError,
    );
    expect(validate).not.toHaveBeenCalled();
  });
});

const ask = (isRevoked: unknown, token = tokenOf({ jti: 'a' })) =>
  verify(token, {}, { isRevoked: isRevoked as never, timeout: 200 });

describe('isRevoked', () => {
  test('is asked by claims and header', async () => {
    const isRevoked = vi.fn(() => false);
    await ask(isRevoked);
    expect(isRevoked.mock.calls).toEqual([[{ jti: 'a' }, HEADER]]);
  });

  test.each([
    ['answers', () => false],
    ['resolves to', async () => false],
  ])('that %s false lets the token pass', async (_, isRevoked) => {
    await expect(ask(isRevoked)).resolves.toMatchObject({ claims: { jti: 'a' } });
  });

  test.each([
    ['answers', () => true],
    ['resolves to', async () => true],
  ])('that %s true ends the token', async (_, isRevoked) => {
    await expect(ask(isRevoked)).rejects.toThrow(new TokenRevokedError());
  });

  test.each([[undefined], [0], ['false'], [null]])('that answers %o cannot tell', async (answer) => {
    await expect(ask(() => answer)).rejects.toThrow(
      new RevocationUnavailableError('isRevoked answered neither true nor false'),
    );
  });

  test.each([
    [
      'throws',
      (cause: Error) => {
        throw cause;
      },
    ],
    ['rejects', (cause: Error) => Promise.reject(cause)],
  ])('that %s cannot tell, and the cause says no more than the kind of its error', async (_, fail) => {
    const away = Object.assign(new TypeError('SISMEMBER revoked token-1'), { code: 'ECONNREFUSED' });
    const refusal = await ask(() => fail(away)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RevocationUnavailableError);
    expect(refusal).toMatchObject({
      message: 'isRevoked failed',
      cause: {
        name: 'TypeError',
        code: 'ECONNREFUSED',
        message: 'Left out, as it may quote the claims',
      },
    });
  });

  test('may say by itself why it cannot tell', async () => {
    const own = new RevocationUnavailableError('the list is being rebuilt');
    await expect(ask(() => Promise.reject(own))).rejects.toBe(own);
  });

  test('has as long as timeout says', async () => {
    await expect(ask(() => new Promise(() => {}))).rejects.toThrow(
      new RevocationUnavailableError('isRevoked did not answer within 200 ms'),
    );
  });

  test('is not asked about a token that is bad anyway', async () => {
    const isRevoked = vi.fn(() => true);
    await expect(ask(isRevoked, tokenOf({ exp: 1 }))).rejects.toBeInstanceOf(TokenExpiredError);
    await expect(ask(isRevoked, `${part(HEADER)}.${part({})}.`)).rejects.toBeInstanceOf(TokenSignatureError);
    expect(isRevoked).not.toHaveBeenCalled();
  });
});

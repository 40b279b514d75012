import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { forge, newKeyPair } from '../support/forge.js';
import { inAnHour, newRsaPair, startIssuer } from '../support/issuer.js';
import { sign } from 'node:crypto';
import { errorOf, mismatch, OWN, start, startService } from './issuers.support.js';

const SIGNATURE = { name: 'TokenSignatureError' };
const UNKNOWN = { name: 'TokenKeyUnknownError' };

/** A service with its own key and two issuers whose only keys have the same kid. */
async function startWithTwo(options = {}) {
  const [corp, partner] = [await startIssuer('a'), await startIssuer('a')];
  const issuers = [corp.record({ name: 'corp' }), partner.record({ name: 'partner', audience: 'partners' })];
  return { corp, partner, ...(await startService({ issuers, ...options })) };
}

describe('the iss of a token selects the record', () => {
  test('whose keys and audience apply, next to own tokens', async () => {
    const { corp, partner, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token())).resolves.toMatchObject({ iss: corp.url, aud: 'orders' });
    await expect(jwt.verify(partner.token({ aud: 'partners' }))).resolves.toMatchObject({ iss: partner.url });
    await expect(jwt.verify(await jwt.sign({ sub: 'own' }))).resolves.toMatchObject({ iss: OWN, sub: 'own' });
  });

  test('and no part of another: (I1, A1) and (I2, A2) do not admit (I1, A2)', async () => {
    const { corp, partner, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token({ aud: 'partners' }))).rejects.toMatchObject(mismatch('aud'));
    await expect(jwt.verify(partner.token({ aud: 'orders' }))).rejects.toMatchObject(mismatch('aud'));
  });

  test('even if two issuers have keys with the same kid', async () => {
    const { corp, partner, jwt } = await startWithTwo();
    const { privateKey } = partner.pair('a');
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
    await expect(jwt.verify(corp.token({}, { key: privateKey }))).rejects.toMatchObject(SIGNATURE);
    const ofOwnKid = jwt.health().keys[0] ?? '';
    await expect(jwt.verify(corp.token({}, { kid: ofOwnKid }))).rejects.toMatchObject(UNKNOWN);
    const asOwn = corp.token({ iss: OWN }, { kid: ofOwnKid, key: privateKey });
    await expect(jwt.verify(asOwn)).rejects.toMatchObject(SIGNATURE);
    await expect(jwt.verify(corp.token({ iss: OWN }))).rejects.toMatchObject(UNKNOWN);
  });

  test('also in the cache, even if two issuers have the same key with the same kid', async () => {
    const [corp, partner] = [await startIssuer('a'), await startIssuer('a')];
    partner.add('a', corp.pair('a'));
    const { jwt } = await startService({
      issuers: [corp.record(), partner.record({ audience: 'partners', typ: 'at+jwt' })],
    });
    for (const _ of ['verified', 'from the cache']) {
      await expect(jwt.verify(corp.token())).resolves.toBeDefined();
      await expect(jwt.verify(corp.token({ iss: partner.url }))).rejects.toMatchObject({
        name: 'TokenMalformedError',
      });
      await expect(jwt.verify(corp.token({ iss: partner.url }, { header: { typ: 'at+jwt' } })))
        .rejects //
        .toMatchObject(mismatch('aud'));
    }
  });

  test.each(['/', '/x', '?a', ' '])('by exact match: an iss with %j appended is refused', async (more) => {
    const { corp, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token({ iss: corp.url + more }))).rejects.toMatchObject(mismatch('iss'));
    await expect(jwt.verify(corp.token({ iss: corp.url.toUpperCase() }))).rejects.toMatchObject(
      mismatch('iss'),
    );
  });

  test.each(['__proto__', 'constructor', 'toString', '', '*'])('and %j is refused', async (iss) => {
    const { corp, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token({ iss }))).rejects.toMatchObject(mismatch('iss'));
  });

  test.each([[null], [42], [['https://a']], [{ iss: 'a' }], [true]])(
    'and %j is refused as the wrong type',
    async (iss) => {
      const { corp, jwt } = await startWithTwo();
      const reason = { name: 'TokenClaimError', claim: 'iss', reason: 'type' };
      await expect(jwt.verify(corp.token({ iss }))).rejects.toMatchObject(reason);
    },
  );
});

describe('a token without iss', () => {
  const missing = { name: 'TokenClaimError', claim: 'iss', reason: 'missing' };

  test('can only be an own token', async () => {
    const corp = await startIssuer();
    const { jwt } = await startService({ issuers: [corp.record()], signOptions: {} });
    await expect(jwt.verify(await jwt.sign({ sub: 'own' }))).resolves.toMatchObject({ sub: 'own' });
    await expect(jwt.verify(corp.token({ iss: undefined }))).rejects.toMatchObject(UNKNOWN);
  });

  test('is refused if own tokens have an issuer, or if there are no own tokens', async () => {
    const { corp, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token({ iss: undefined }))).rejects.toMatchObject(missing);
    const { jwt: foreignOnly } = await start({ issuers: [corp.record()] });
    await expect(foreignOnly.verify(corp.token({ iss: undefined }))).rejects.toMatchObject(missing);
    await expect(foreignOnly.verify(corp.token())).resolves.toBeDefined();
  });
});

describe('a token is checked against its record', () => {
  test.each<[string, object, object, object, object]>([
    ['typ', { typ: 'at+jwt' }, {}, {}, { name: 'TokenMalformedError' }],
    ['requiredClaims', { requiredClaims: ['tenant'] }, {}, {}, { claim: 'tenant', reason: 'missing' }],
    ['claims', { claims: { client_id: 'web' } }, { client_id: 'cli' }, {}, mismatch('client_id')],
    ['missing claims', { claims: { client_id: 'web' } }, {}, {}, { claim: 'client_id', reason: 'missing' }],
    ['exp', {}, { exp: 1 }, {}, { name: 'TokenExpiredError' }],
    ['alg', {}, {}, { header: { alg: 'RS256' } }, SIGNATURE],
    ['kid', {}, {}, { kid: 'unknown' }, UNKNOWN],
  ])('%s', async (_, record, claims, parts, expected) => {
    const corp = await startIssuer();
    const { jwt } = await startService({ issuers: [corp.record(record)] });
    await expect(jwt.verify(corp.token(claims, parts))).rejects.toMatchObject(expected);
  });

  test('and not against verifyOptions, which apply to own tokens', async () => {
    const corp = await startIssuer();
    const verifyOptions = { requiredClaims: ['tenant'], maxAge: 60, ignoreExpiration: true };
    const { jwt } = await startService({ issuers: [corp.record()], verifyOptions });
    await expect(jwt.verify(corp.token())).resolves.toBeDefined();
    await expect(jwt.verify(corp.token({ exp: 1 }))).rejects.toMatchObject({ name: 'TokenExpiredError' });
  });

  test('with its algorithms: a JWK for another algorithm in the key set is ignored', async () => {
    const corp = await startIssuer();
    corp.add('rsa', newRsaPair());
    const { jwt } = await startService({ issuers: [corp.record()] });
    const header = { alg: 'RS256', typ: 'JWT', kid: 'rsa' };
    await expect(jwt.verify(forge(header, { iss: corp.url, aud: 'orders' }, newKeyPair().privateKey)))
      .rejects //
      .toMatchObject(UNKNOWN);
  });

  test('with the algorithm that fits the key type of a JWK without alg, as with Entra ID', async () => {
    const corp = await startIssuer('ec');
    const rsa = newRsaPair();
    corp.add('rsa', rsa);
    const { jwt } = await startService({ issuers: [corp.record({ algorithms: ['RS256', 'ES256'] })] });
    const [header, payload] = corp.token({}, { kid: 'rsa', header: { alg: 'RS256' } }).split('.');
    const signed = (hash: string, head = header) =>
      `${head}.${payload}.${sign(hash, Buffer.from(`${head}.${payload}`), rsa.privateKey).toString('base64url')}`;
    await expect(jwt.verify(signed('sha256'))).resolves.toBeDefined();
    await expect(jwt.verify(corp.token({}, { kid: 'ec' }))).resolves.toBeDefined();
    const [rs512] = corp.token({}, { kid: 'rsa', header: { alg: 'RS512' } }).split('.');
    await expect(jwt.verify(signed('sha512', rs512))).rejects.toMatchObject(SIGNATURE);
  });
});

describe('the options of a call', () => {
  test.each<[string, object, object, object]>([
    ['an audience', { audience: 'invoices' }, {}, mismatch('aud')],
    ['an issuer', { issuer: 'https://other.example' }, {}, mismatch('iss')],
    ['required claims', { requiredClaims: ['tenant'] }, {}, { claim: 'tenant', reason: 'missing' }],
    ['a subject', { subject: 'user-1' }, {}, mismatch('sub')],
    ['maxAge', { maxAge: 60 }, { iat: 1 }, { name: 'TokenExpiredError' }],
    ['a type', { typ: 'at+jwt' }, {}, { name: 'TokenMalformedError' }],
    ['a schema', { schema: z.object({ tenant: z.string() }) }, {}, { claim: 'tenant', reason: 'schema' }],
    ['KMS', { verification: 'kms' }, {}, { name: 'TokenKeyNotInKmsError' }],
  ])('restrict the record further: %s', async (_, options, claims, expected) => {
    const { corp, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token(claims), options)).rejects.toMatchObject(expected);
  });

  test('are additional requirements: both audiences must be present', async () => {
    const { corp, jwt } = await startWithTwo();
    const options = { audience: ['invoices', /^reports-/] };
    await expect(jwt.verify(corp.token({ aud: ['orders', 'reports-1'] }), options)).resolves.toBeDefined();
    await expect(jwt.verify(corp.token({ aud: 'reports-1' }), options)).rejects.toMatchObject(
      mismatch('aud'),
    );
  });

  test('are checked after the signature, as the record is', async () => {
    const { corp, jwt } = await startWithTwo();
    const forged = corp.token({ aud: 'x' }, { key: newKeyPair().privateKey });
    await expect(jwt.verify(forged)).rejects.toMatchObject(SIGNATURE);
    // An expression must not run on claims that anybody may have written.
    await expect(jwt.verify(forged, { audience: /^(a+)+$/ })).rejects.toMatchObject(SIGNATURE);
  });

  test('cannot allow a typ that the record refuses', async () => {
    const { corp, jwt } = await startWithTwo();
    const token = corp.token({}, { header: { typ: 'at+jwt' } });
    await expect(jwt.verify(token, { typ: 'at+jwt' })).rejects.toMatchObject({ name: 'TokenMalformedError' });
  });
});

describe('verify with issuers', () => {
  test('accepts only tokens of these, by their names', async () => {
    const { corp, partner, jwt } = await startWithTwo();
    const tokens = {
      corp: corp.token(),
      partner: partner.token({ aud: 'partners' }),
      own: await jwt.sign({}),
    };
    for (const name of ['corp', 'partner', 'own'] as const) {
      for (const [issuer, token] of Object.entries(tokens)) {
        const error = await errorOf(jwt.verify(token, { issuers: [name] }));
        if (issuer === name) expect(error).toBeUndefined();
        else expect(error).toMatchObject(mismatch('iss'));
      }
    }
    await expect(jwt.verify(tokens.own, { issuers: ['corp', 'own'] })).resolves.toBeDefined();
  });

  test('throws for an unknown name', async () => {
    const unknown = { name: 'KmsJwtOptionsError', option: 'issuers' };
    const { corp, jwt } = await startWithTwo();
    await expect(jwt.verify(corp.token(), { issuers: ['crop'] })).rejects.toMatchObject(unknown);
    await expect(startWithTwo({ verifyOptions: { issuers: ['crop'] } })).rejects.toMatchObject(unknown);
    const { jwt: alone } = await startService({});
    const own = await alone.sign({});
    await expect(alone.verify(own, { issuers: ['corp'] })).rejects.toMatchObject(unknown);
    await expect(alone.verify(own, { issuers: ['own'] })).resolves.toBeDefined();
    await expect(startService({ verifyOptions: { issuers: ['corp'] } })).rejects.toMatchObject(unknown);
  });

  test('of the module is the default of every call', async () => {
    const { corp, jwt } = await startWithTwo({ verifyOptions: { issuers: ['own'] } });
    await expect(jwt.verify(corp.token())).rejects.toMatchObject(mismatch('iss'));
    await expect(jwt.verify(corp.token(), { issuers: ['corp'] })).resolves.toBeDefined();
  });
});

describe('tokens of issuers are also subject to', () => {
  test('isRevoked, with their iss and jti', async () => {
    const asked: unknown[] = [];
    const { corp, jwt } = await startWithTwo({
      isRevoked: async ({ iss, jti }: { iss?: string; jti?: string }) => {
        asked.push([iss, jti]);
        return jti === 'stolen';
      },
    });
    await expect(jwt.verify(corp.token({ jti: 'stolen' }))).rejects.toMatchObject({
      name: 'TokenRevokedError',
    });
    await expect(jwt.verify(corp.token({ jti: 'good' }))).resolves.toBeDefined();
    await expect(jwt.verify(corp.token({ jti: 'x' }, { key: newKeyPair().privateKey })))
      .rejects //
      .toMatchObject(SIGNATURE);
    expect(asked).toEqual([
      [corp.url, 'stolen'],
      [corp.url, 'good'],
    ]);
  });

  test('a schema, and complete', async () => {
    const { corp, jwt } = await startWithTwo();
    const schema = z.object({ sub: z.string() });
    const { header, payload } = await jwt.verify(corp.token(), { schema, complete: true });
    expect({ header, payload }).toEqual({
      header: { alg: 'ES256', typ: 'JWT', kid: 'a' },
      payload: { sub: 'user-42' },
    });
  });

  test('decode, which reads tokens of any issuer', async () => {
    const { corp, jwt } = await startWithTwo();
    expect(jwt.decode(corp.token({ iss: 'https://unknown.example' }))).toMatchObject({ sub: 'user-42' });
  });
});

test('the own key set contains only own keys', async () => {
  const { corp, jwt } = await startWithTwo();
  await jwt.verify(corp.token({ exp: inAnHour() }));
  expect((await jwt.jwks()).keys).toHaveLength(1);
});

test('a key set in the options needs no fetch', async () => {
  const corp = await startIssuer('a');
  const { jwt } = await start({ issuers: [corp.record({ keys: { jwks: corp.keySet } })] });
  await expect(jwt.verify(corp.token())).resolves.toBeDefined();
  await expect(jwt.verify(corp.token({}, { kid: 'b' }))).rejects.toMatchObject(UNKNOWN);
  expect(corp.requests).toEqual([]);
});

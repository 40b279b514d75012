import { createPublicKey, verify } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { type KmsJwtEvent } from 'nestjs-kms-jwt';
import { type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { close, json, jwt, keyId, localKms, partsOf, restart, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

describe('sign', () => {
  test('returns a JWS whose header has alg, typ and kid, in this order', async () => {
    const [header, payload] = partsOf(await jwt.sign({ sub: 'user-42' }));
    expect(Buffer.from(header, 'base64url').toString()).toBe(
      `{"alg":"ES256","typ":"JWT","kid":"${keyId()}"}`,
    );
    expect(json(payload)).toEqual({ sub: 'user-42', iat: expect.any(Number) });
  });

  test('returns a signature that node:crypto verifies with the published key', async () => {
    const [header, payload, signature] = partsOf(await jwt.sign({ sub: 'user-42' }));
    const { keys } = await jwt.jwks();
    const key = createPublicKey({ key: keys[0] as never, format: 'jwk' });
    const input = Buffer.from(`${header}.${payload}`);
    expect(
      verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')),
    ).toBe(true);
  });

  test('applies the options, and prefers those of the call to those of the module', async () => {
    await restart({ signOptions: { issuer: 'auth', audience: 'orders', expiresIn: '15m' } });
    const claims = jwt.decode(await jwt.sign({ iat: 1000 }, { audience: 'bills', subject: 's', jwtid: 'j' }));
    expect(claims).toEqual({ iat: 1000, exp: 1900, iss: 'auth', aud: 'bills', sub: 's', jti: 'j' });
  });

  test('prefers the claims of the payload to the options of the module, but not to those of the call', async () => {
    await restart({ signOptions: { issuer: 'auth', audience: 'orders', expiresIn: '15m' } });
    const payload = { iat: 1000, exp: 2000, aud: 'bills' };
    expect(jwt.decode(await jwt.sign(payload))).toEqual({ ...payload, iss: 'auth' });
    expect(jwt.decode(await jwt.sign(payload, { subject: 's' }))).toEqual({
      ...payload,
      iss: 'auth',
      sub: 's',
    });
    await expect(jwt.sign(payload, { expiresIn: '15m' })).rejects.toMatchObject({ option: 'expiresIn' });
  });

  test('adds header parameters, but does not replace alg and kid', async () => {
    const { header } = jwt.decode(await jwt.sign({}, { header: { typ: 'at+jwt', 'x-tenant': 'a' } }), {
      complete: true,
    });
    expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', 'x-tenant': 'a', kid: keyId() });
    await expect(jwt.sign({}, { header: { kid: 'mine' as never } })).rejects.toMatchObject({
      option: 'header',
    });
  });

  test('adds the header parameters of a Proxy', async () => {
    const header = new Proxy({ 'x-tenant': new Proxy({ id: 1 }, {}) }, {});
    const token = await jwt.sign({}, { header });
    expect(jwt.decode(token, { complete: true }).header['x-tenant']).toEqual({ id: 1 });
  });

  test('ignores later changes of the header that the options gave', async () => {
    const given: Record<string, unknown> = { 'x-tenant': { id: 1 } };
    await restart({ signOptions: { header: given } });
    Object.assign(given, { alg: 'none', 'x-tenant': { id: 2 } });
    const { header } = jwt.decode(await jwt.sign({}), { complete: true });
    expect(header).toEqual({ alg: 'ES256', typ: 'JWT', 'x-tenant': { id: 1 }, kid: keyId() });
  });

  test('makes one Sign call per token, with the ARN and a digest', async () => {
    localKms.resetCalls();
    await jwt.sign({});
    expect(localKms.calls).toMatchObject({ Sign: 1, GetPublicKey: 0 });
  });

  test('signs a claims set of 100 KB, because KMS receives a digest', async () => {
    const token = await jwt.sign({ blob: 'x'.repeat(100_000) });
    await restart({ limits: { maxTokenLength: 200_000 } });
    expect((await jwt.verify(token))['blob']).toHaveLength(100_000);
  });

  test('refuses wrong options and claims before KMS is called', async () => {
    localKms.resetCalls();
    await expect(jwt.sign({}, { expiresIn: 'soon' })).rejects.toMatchObject({ option: 'expiresIn' });
    await expect(jwt.sign({ exp: '1' })).rejects.toMatchObject({ option: 'payload.exp' });
    await expect(jwt.sign({ exp: 1 }, { expiresIn: 1 })).rejects.toMatchObject({ option: 'expiresIn' });
    await expect(jwt.sign({ when: new Date() })).rejects.toMatchObject({ option: 'payload.when' });
    await expect(jwt.sign('user-42' as never)).rejects.toMatchObject({ option: 'payload' });
    await expect(jwt.sign({}, { expiresIn: 1e12 })).rejects.toMatchObject({ option: 'expiresIn' });
    await expect(jwt.sign({}, { notBefore: '-60y' })).rejects.toMatchObject({ option: 'notBefore' });
    await expect(jwt.sign({}, null as never)).rejects.toMatchObject({ option: 'options' });
    await expect(jwt.sign({}, { secret: 'hush' } as never)).rejects.toMatchObject({ option: 'secret' });
    expect(localKms.calls.Sign).toBe(0);
  });

  test.each<[string, LocalKmsFault]>([
    ['of another message', { kind: 'corruptSignature' }],
    ['of another key', { kind: 'otherKey' }],
    ['that is missing', { kind: 'omitSignature' }],
    [
      'with trailing bytes',
      { kind: 'signature', signature: Uint8Array.from([0x30, 6, 2, 1, 1, 2, 1, 1, 0]) },
    ],
    [
      'whose r and s are 1, in valid DER',
      { kind: 'signature', signature: Uint8Array.from([0x30, 6, 2, 1, 1, 2, 1, 1]) },
    ],
  ])('returns no token with a signature %s', async (_, fault) => {
    localKms.inject(fault);
    const events: KmsJwtEvent['type'][] = [];
    jwt.events.subscribe(({ type }) => events.push(type));
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsSignatureError' });
    expect(jwt.health().refusedSignatures).toBe(1);
    expect(events).toEqual(['signature_refused']);
  });

  test('rejects while KMS is unavailable, and signs again afterwards', async () => {
    const throttled = localKms.inject({ kind: 'throttle' });
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'throttled' });
    throttled.stop();
    await expect(jwt.sign({})).resolves.toBeTypeOf('string');
  });

  test('rejects at once with the reason when its signal aborts', async () => {
    localKms.inject({ kind: 'hang' });
    const controller = new AbortController();
    const signing = jwt.sign({}, { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(signing).rejects.toThrow('gone');
  });

  test('still signs with the old key right after the alias has moved', async () => {
    await localKms
      .client()
      .send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId }));
    const token = await jwt.sign({});
    expect(jwt.decode(token, { complete: true }).header.kid).toBe(keyId());
    await expect(jwt.verify(token)).resolves.toBeDefined();
  });
});

describe('messageType RAW', () => {
  beforeEach(async () => {
    await restart({ messageType: 'RAW' });
  });

  test('signs the same tokens', async () => {
    await expect(jwt.verify(await jwt.sign({ sub: 'user-42' }))).resolves.toMatchObject({ sub: 'user-42' });
  });

  test('accepts up to 4,096 bytes before the signature, and names the limit otherwise', async () => {
    const overhead = partsOf(await jwt.sign({ blob: '' }, { noTimestamp: true }))
      .slice(0, 2)
      .join('.').length;
    const fits = 'x'.repeat(Math.floor(((4096 - overhead) * 3) / 4));
    await expect(jwt.sign({ blob: fits }, { noTimestamp: true })).resolves.toBeTypeOf('string');

    localKms.resetCalls();
    await expect(jwt.sign({ blob: 'x'.repeat(4000) })).rejects.toThrow(/up to 4096 bytes .* use 'DIGEST'/);
    expect(localKms.calls.Sign).toBe(0);
  });
});

test('one signal for many signatures causes no warning and no leak', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 30 }, () => jwt.sign({}, { signal })));
  await new Promise(setImmediate);
  expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

import { createPublicKey, createHash, createHmac, verify } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { Test } from '@nestjs/testing';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  type KmsJwtEvent,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  TokenError,
} from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { forge, newKeyPair, part } from '../support/forge.js';

let localKms: LocalKms;
let close: () => Promise<void>;
let jwt: KmsJwtService;

async function start(options: Partial<KmsJwtModuleOptions> = {}): Promise<KmsJwtService> {
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }), ...options }),
    ],
  }).compile();
  close = () => module.close();
  await module.init();
  return module.get(KmsJwtService);
}

const keyArn = () => localKms.keys[0]?.arn ?? '';
const keyId = () => localKms.keys[0]?.keyId ?? '';
const headerOf = () => ({ alg: 'ES256', typ: 'JWT', kid: keyId() });
const hmac = (input: string, secret: string | Buffer) =>
  `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
const partsOf = (token: string) => token.split('.') as [string, string, string];
const json = (text: string) =>
  JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;

beforeEach(async () => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'other' }] });
  jwt = await start();
});
afterEach(() => close());

describe('sign', () => {
  test('gives a JWS whose header names algorithm, type and key, in this order', async () => {
    const [header, payload] = partsOf(await jwt.sign({ sub: 'user-42' }));
    expect(Buffer.from(header, 'base64url').toString()).toBe(
      `{"alg":"ES256","typ":"JWT","kid":"${keyId()}"}`,
    );
    expect(json(payload)).toEqual({ sub: 'user-42', iat: expect.any(Number) });
  });

  test('gives a signature that node:crypto verifies by the published key', async () => {
    const [header, payload, signature] = partsOf(await jwt.sign({ sub: 'user-42' }));
    const { keys } = await jwt.jwks();
    const key = createPublicKey({ key: keys[0] as never, format: 'jwk' });
    const input = Buffer.from(`${header}.${payload}`);
    expect(
      verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')),
    ).toBe(true);
  });

  test('sets what the options say, those of the call before those of the module', async () => {
    await close();
    jwt = await start({ signOptions: { issuer: 'auth', audience: 'orders', expiresIn: '15m' } });
    const claims = jwt.decode(await jwt.sign({ iat: 1000 }, { audience: 'bills', subject: 's', jwtid: 'j' }));
    expect(claims).toEqual({ iat: 1000, exp: 1900, iss: 'auth', aud: 'bills', sub: 's', jti: 'j' });
  });

  test('adds header parameters, but not in the place of the key’s', async () => {
    const { header } = jwt.decode(await jwt.sign({}, { header: { typ: 'at+jwt', 'x-tenant': 'a' } }), {
      complete: true,
    });
    expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', 'x-tenant': 'a', kid: keyId() });
    await expect(jwt.sign({}, { header: { kid: 'mine' as never } })).rejects.toMatchObject({
      option: 'header',
    });
  });

  test('adds header parameters that a Proxy holds', async () => {
    const header = new Proxy({ 'x-tenant': new Proxy({ id: 1 }, {}) }, {});
    const token = await jwt.sign({}, { header });
    expect(jwt.decode(token, { complete: true }).header['x-tenant']).toEqual({ id: 1 });
  });

  test('says in the header what the key says, whatever becomes of the options afterwards', async () => {
    const given: Record<string, unknown> = { 'x-tenant': { id: 1 } };
    await close();
    jwt = await start({ signOptions: { header: given } });
    Object.assign(given, { alg: 'none', 'x-tenant': { id: 2 } });
    const { header } = jwt.decode(await jwt.sign({}), { complete: true });
    expect(header).toEqual({ alg: 'ES256', typ: 'JWT', 'x-tenant': { id: 1 }, kid: keyId() });
  });

  test('makes one Sign call a token, to the ARN and with a digest', async () => {
    localKms.resetCalls();
    await jwt.sign({});
    expect(localKms.calls).toMatchObject({ Sign: 1, GetPublicKey: 0 });
  });

  test('signs a claim set of 100 KB, as KMS gets a digest', async () => {
    const token = await jwt.sign({ blob: 'x'.repeat(100_000) });
    await close();
    jwt = await start({ maxTokenLength: 200_000 });
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
      'with bytes behind it',
      { kind: 'signature', signature: Uint8Array.from([0x30, 6, 2, 1, 1, 2, 1, 1, 0]) },
    ],
    [
      'in good DER, of nothing',
      { kind: 'signature', signature: Uint8Array.from([0x30, 6, 2, 1, 1, 2, 1, 1]) },
    ],
  ])('hands out no token with a signature %s', async (_, fault) => {
    localKms.inject(fault);
    const told: KmsJwtEvent['type'][] = [];
    jwt.events.subscribe(({ type }) => told.push(type));
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsSignatureError' });
    expect(jwt.health().refusedSignatures).toBe(1);
    expect(told).toEqual(['signature_refused']);
  });

  test('passes on what KMS cannot do now, and signs again when it can', async () => {
    const throttled = localKms.inject({ kind: 'throttle' });
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'throttled' });
    throttled.stop();
    await expect(jwt.sign({})).resolves.toBeTypeOf('string');
  });

  test('ends at once when its signal aborts, with the reason', async () => {
    localKms.inject({ kind: 'hang' });
    const controller = new AbortController();
    const signing = jwt.sign({}, { signal: controller.signal });
    controller.abort(new Error('gone'));
    await expect(signing).rejects.toThrow('gone');
  });

  test('goes on signing with the key that it has when the alias moves', async () => {
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
    await close();
    jwt = await start({ messageType: 'RAW' });
  });

  test('signs the same tokens', async () => {
    await expect(jwt.verify(await jwt.sign({ sub: 'user-42' }))).resolves.toMatchObject({ sub: 'user-42' });
  });

  test('takes up to 4,096 bytes before the signature, and says so beyond', async () => {
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

describe('requestAlias', () => {
  test('sends the alias, and signs once more where another key signed behind it, under its own name', async () => {
    await close();
    jwt = await start({ requestAlias: true });
    const before = await jwt.sign({});

    const command = new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: localKms.keys[1]?.keyId });
    await localKms.client().send(command);
    const after = await Promise.all([jwt.sign({}), jwt.sign({})]);
    for (const token of after) {
      expect(jwt.decode(token, { complete: true }).header.kid).toBe(localKms.keys[1]?.keyId);
      await expect(jwt.verify(token)).resolves.toBeDefined();
    }
    await expect(jwt.verify(before)).resolves.toBeDefined();
  });
});

test('an old key that was disabled too early costs no signature: all who sign at once go over to the next', async () => {
  const { DisableKeyCommand } = await import('@aws-sdk/client-kms');
  await close();
  jwt = await start({ refreshInterval: 1, activationDelay: 3600 });
  const [old, next] = localKms.keys.map((key) => key.keyId);
  await localKms.client().send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: next }));
  await expect.poll(async () => (await jwt.jwks()).keys.length, { timeout: 5000 }).toBe(2);
  expect(jwt.health().signing).toBe(old);

  await localKms.client().send(new DisableKeyCommand({ KeyId: old }));
  const tokens = await Promise.all(Array.from({ length: 20 }, () => jwt.sign({})));
  expect(new Set(tokens.map((token) => jwt.decode(token, { complete: true }).header.kid))).toEqual(
    new Set([next]),
  );
});

describe('kid', () => {
  test.each<[string, KmsJwtModuleOptions['kid'], () => unknown]>([
    ['is the last part of the ARN by default', undefined, keyId],
    ['is that for key-id', 'key-id', keyId],
    ['is 43 characters of RFC 7638 for thumbprint', 'thumbprint', () => expect.stringMatching(/^[\w-]{43}$/)],
    [
      'is what a function says',
      ({ keyArn: arn, jwk }) => `${arn.split(':')[3]}-${jwk.crv}`,
      () => 'us-east-1-P-256',
    ],
  ])('%s, in tokens and in the key set', async (_, kid, expected) => {
    await close();
    jwt = await start({ kid });
    const token = await jwt.sign({});
    expect(jwt.decode(token, { complete: true }).header.kid).toEqual(expected());
    expect((await jwt.jwks()).keys[0]?.kid).toEqual(expected());
    await expect(jwt.verify(token)).resolves.toBeDefined();
  });

  test('that is not a string stops the app', async () => {
    await expect(start({ kid: () => '' })).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'kid',
    });
  });
});

describe('verify', () => {
  test('gives the claims', async () => {
    const token = await jwt.sign({ sub: 'user-42', scope: 'orders:read' }, { expiresIn: 60 });
    const iat = expect.any(Number);
    expect(await jwt.verify(token)).toEqual({ sub: 'user-42', scope: 'orders:read', iat, exp: iat });
  });

  test('gives each caller claims of its own', async () => {
    const token = await jwt.sign({ roles: ['user'] });
    const claims = await jwt.verify<{ roles: string[] }>(token);
    claims.roles.push('admin');
    expect(await jwt.verify(token)).toMatchObject({ roles: ['user'] });
  });

  test('gives header, payload and signature with complete', async () => {
    const token = await jwt.sign({ sub: 'user-42' });
    const { header, payload, signature } = await jwt.verify(token, { complete: true });
    expect(header).toEqual({ alg: 'ES256', typ: 'JWT', kid: keyId() });
    expect(payload).toMatchObject({ sub: 'user-42' });
    expect(signature).toBe(partsOf(token)[2]);
  });

  test('holds the time against clockTimestamp where it is given', async () => {
    const token = await jwt.sign({ iat: 1000 }, { expiresIn: 60, notBefore: 10 });
    await expect(jwt.verify(token, { clockTimestamp: 1010 })).resolves.toBeDefined();
    await expect(jwt.verify(token, { clockTimestamp: 1009 })).rejects.toMatchObject({
      name: 'TokenNotActiveError',
    });
    await expect(jwt.verify(token, { clockTimestamp: 1060 })).rejects.toMatchObject({
      name: 'TokenExpiredError',
    });
    await expect(jwt.verify(token)).rejects.toMatchObject({ expiredAt: new Date(1_060_000) });
  });

  test('asks for the issuer and the audience that the module signs with', async () => {
    await close();
    jwt = await start({ signOptions: { issuer: 'auth', audience: 'orders' } });
    await expect(jwt.verify(await jwt.sign({}))).resolves.toBeDefined();
    await expect(jwt.verify(await jwt.sign({}, { audience: 'bills' }))).rejects.toMatchObject({
      claim: 'aud',
    });
    await expect(jwt.verify(await jwt.sign({}, { issuer: 'else' }))).rejects.toMatchObject({ claim: 'iss' });
    await expect(
      jwt.verify(await jwt.sign({}, { audience: 'bills' }), { audience: 'bills' }),
    ).resolves.toBeDefined();
  });

  test('refuses a token without the claim that audience or issuer asks for', async () => {
    const token = await jwt.sign({});
    await expect(jwt.verify(token, { audience: 'orders' })).rejects.toMatchObject({ claim: 'aud' });
    await expect(jwt.verify(token, { issuer: /./ })).rejects.toMatchObject({ claim: 'iss' });
  });

  test('tells apart tokens by typ (RFC 8725, section 3.11)', async () => {
    const accessToken = await jwt.sign({}, { header: { typ: 'at+jwt' } });
    await expect(jwt.verify(accessToken)).rejects.toMatchObject({ name: 'TokenMalformedError' });
    await expect(jwt.verify(accessToken, { typ: 'AT+JWT' })).resolves.toBeDefined();
    await expect(jwt.verify(accessToken, { typ: 'application/at+jwt' })).resolves.toBeDefined();
    await expect(jwt.verify(await jwt.sign({}), { typ: 'at+jwt' })).rejects.toMatchObject({
      name: 'TokenMalformedError',
    });
  });

  test('makes no call of KMS', async () => {
    const token = await jwt.sign({});
    localKms.resetCalls();
    localKms.inject({ kind: 'drop' });
    await jwt.verify(token);
    expect(Object.values(localKms.calls).every((count) => count === 0)).toBe(true);
  });

  test('refuses wrong options', async () => {
    await expect(jwt.verify(await jwt.sign({}), { audience: undefined })).rejects.toMatchObject({
      option: 'audience',
    });
    await expect(jwt.verify(await jwt.sign({}), { algorithms: ['none'] } as never)).rejects.toMatchObject({
      option: 'algorithms',
    });
  });
});

describe('verify with a schema', () => {
  const schema = z.object({ sub: z.string(), scope: z.string().transform((scope) => scope.split(' ')) });

  test('gives the output of the schema', async () => {
    const claims = await jwt.verify(await jwt.sign({ sub: 's', scope: 'a b', extra: 1 }), { schema });
    expect(claims).toEqual({ sub: 's', scope: ['a', 'b'] });
    expect(claims.scope[0]?.toUpperCase()).toBe('A');
  });

  test('names the claim that does not fit, and not its value', async () => {
    const error = await jwt
      .verify(await jwt.sign({ sub: 's', scope: 4711 }), { schema })
      .catch((thrown: Error) => thrown);
    expect(error).toMatchObject({
      name: 'TokenClaimError',
      claim: 'scope',
      message: expect.not.stringContaining('4711'),
    });
  });

  test.each<[string, () => unknown]>([
    ['throws', () => JSON.parse('"4711') as unknown],
    ['rejects', () => Promise.reject(new Error('4711'))],
    ['answers nothing', () => undefined],
    ['names no claim', () => ({ issues: [{ message: '4711', path: [null] }] })],
    ['names a claim that is none', () => ({ issues: [{ message: '4711', path: ['4711\r\nX: 1'] }] })],
  ])('refuses the token when the schema %s, and says nothing of what it said', async (_, validate) => {
    const odd = { '~standard': { version: 1, vendor: 'test', validate } } as StandardSchemaV1;
    const error = await jwt.verify(await jwt.sign({}), { schema: odd }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: 'TokenClaimError', claim: '(all)' });
    expect(inspect(error, { depth: null })).not.toContain('4711');
  });

  test('holds nothing against it before the signature verified', async () => {
    let asked = 0;
    const counting = z.object({}).refine(() => (asked += 1));
    await expect(
      jwt.verify(forge({ alg: 'ES256', kid: keyId() }, {}, newKeyPair().privateKey), { schema: counting }),
    ).rejects.toThrow(TokenError);
    expect(asked).toBe(0);
  });
});

describe('a token that was not signed by the key is refused:', () => {
  const stranger = newKeyPair().privateKey;

  test.each<[string, string, () => string | Promise<string>]>([
    ['another key', 'TokenSignatureError', () => forge(headerOf(), { sub: 'admin' }, stranger)],
    ['another kid', 'TokenKeyUnknownError', () => forge({ ...headerOf(), kid: 'other' }, {}, stranger)],
    ['no kid', 'TokenKeyUnknownError', () => forge({ alg: 'ES256' }, {}, stranger)],
    [
      'a kid that is an object',
      'TokenKeyUnknownError',
      () => forge({ alg: 'ES256', kid: { toString: 'x' } }, {}, stranger),
    ],
    [
      'a kid of the prototype',
      'TokenKeyUnknownError',
      () => forge({ alg: 'ES256', kid: '__proto__' }, {}, stranger),
    ],
    ['alg none', 'TokenSignatureError', () => `${part({ ...headerOf(), alg: 'none' })}.${part({})}.`],
    [
      'alg None, with a signature',
      'TokenSignatureError',
      () => forge({ ...headerOf(), alg: 'None' }, {}, stranger),
    ],
    ['no alg', 'TokenSignatureError', () => forge({ kid: keyId() }, {}, stranger)],
    [
      'HS256 keyed with the public key',
      'TokenSignatureError',
      async () => {
        const { keys } = await jwt.jwks();
        const pem = createPublicKey({ key: keys[0] as never, format: 'jwk' }).export({
          type: 'spki',
          format: 'pem',
        });
        return hmac(`${part({ ...headerOf(), alg: 'HS256' })}.${part({})}`, pem);
      },
    ],
    [
      'a key in its own header',
      'TokenSignatureError',
      () => forge({ ...headerOf(), jwk: newKeyPair().publicKey.export({ format: 'jwk' }) }, {}, stranger),
    ],
    ['no signature', 'TokenSignatureError', () => `${part(headerOf())}.${part({})}.`],
    ['crit', 'TokenMalformedError', () => forge({ ...headerOf(), crit: ['exp'] }, {}, stranger)],
    ['an empty crit', 'TokenMalformedError', () => forge({ ...headerOf(), crit: [] }, {}, stranger)],
    ['b64', 'TokenMalformedError', () => forge({ ...headerOf(), b64: false }, {}, stranger)],
    ['a typ that is a number', 'TokenMalformedError', () => forge({ ...headerOf(), typ: 1 }, {}, stranger)],
    ['garbage', 'TokenMalformedError', () => 'not.a.token'],
    ['more characters than maxTokenLength', 'TokenMalformedError', () => '.'.repeat(1_048_576)],
  ])('%s', async (_, name, token) => {
    await expect(jwt.verify(await token())).rejects.toMatchObject({ name });
  });

  test('any changed character', async () => {
    const token = await jwt.sign({ sub: 'user-42' });
    for (let at = 0; at < token.length; at += 1) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      await expect(jwt.verify(changed)).rejects.toBeInstanceOf(TokenError);
    }
  });
});

describe('a claim of the wrong type in a token that the key did sign is refused:', () => {
  test.each<[string, string]>([
    ['exp', '"9999999999"'],
    ['exp', '1e400'],
    ['exp', 'null'],
    ['nbf', '{}'],
    ['iat', '"now"'],
    ['aud', '["a",1]'],
    ['iss', '["a"]'],
    ['sub', '42'],
  ])('%s: %s', async (claim, value) => {
    const { SignCommand } = await import('@aws-sdk/client-kms');
    const input = `${part({ alg: 'ES256', typ: 'JWT', kid: keyId() })}.${part(`{"${claim}":${value}}`)}`;
    const { Signature } = await localKms.client().send(
      new SignCommand({
        KeyId: keyArn(),
        MessageType: 'DIGEST',
        Message: createHash('sha256').update(input).digest(),
        SigningAlgorithm: 'ECDSA_SHA_256',
      }),
    );
    const { derToJose } = await import('ecdsa-sig-formatter');
    const token = `${input}.${derToJose(Buffer.from(Signature as Uint8Array), 'ES256')}`;
    await expect(jwt.verify(token)).rejects.toMatchObject({ name: 'TokenClaimError', claim });
  });
});

describe('decode', () => {
  test('reads claims, and with complete all of it, whoever signed', () => {
    const token = forge({ alg: 'none' }, { sub: 'anybody' }, newKeyPair().privateKey);
    expect(jwt.decode(token)).toEqual({ sub: 'anybody' });
    expect(jwt.decode(token, { complete: true })).toEqual({
      header: { alg: 'none' },
      payload: { sub: 'anybody' },
      signature: partsOf(token)[2],
    });
  });

  test('refuses options that it does not know', () => {
    expect(() => jwt.decode('a.b.c', { compleet: true } as never)).toThrow(
      expect.objectContaining({ option: 'compleet' }),
    );
  });

  test('throws TokenMalformedError for what is no token', () => {
    expect(() => jwt.decode('nonsense')).toThrow(expect.objectContaining({ name: 'TokenMalformedError' }));
  });
});

describe('jwks', () => {
  test('holds the public key with what verifiers ask for, and nothing private', async () => {
    expect(await jwt.jwks()).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          alg: 'ES256',
          use: 'sig',
          kid: keyId(),
        },
      ],
    });
  });

  test('is made anew for each caller', async () => {
    const first = await jwt.jwks();
    first.keys.length = 0;
    expect((await jwt.jwks()).keys).toHaveLength(1);
  });
});

test('one signal may stand over many signatures: nothing is warned of, nothing stays behind', async () => {
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

describe('calls of KMS', () => {
  test('200 sign calls at once on a cold service make 1 GetPublicKey and 200 Sign calls; 10,000 verify calls none', async () => {
    await close();
    localKms.resetCalls();
    jwt = await start({ lazy: true });
    expect(localKms.calls.GetPublicKey).toBe(0);

    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, index) => jwt.sign({ sub: `user-${index}` })),
    );
    expect(localKms.calls).toMatchObject({ GetPublicKey: 1, Sign: 200 });
    expect(new Set(tokens).size).toBe(200);

    localKms.resetCalls();
    for (let round = 0; round < 50; round += 1) await Promise.all(tokens.map((token) => jwt.verify(token)));
    expect(Object.values(localKms.calls).reduce((sum, count) => sum + count)).toBe(0);
  });

  test('a first fetch that failed fails those who waited, and is tried again by the next', async () => {
    await close();
    localKms.inject({ kind: 'throttle', operation: 'GetPublicKey', times: 1 });
    localKms.resetCalls();
    jwt = await start({ lazy: true });
    const first = await Promise.allSettled([
      jwt.sign({}),
      jwt.jwks(),
      jwt.verify(await Promise.resolve(forge({ alg: 'ES256', kid: 'x' }, {}, newKeyPair().privateKey))),
    ]);
    expect(first.map((result) => result.status === 'rejected' && (result.reason as Error).name)).toEqual([
      'KmsUnavailableError',
      'KmsUnavailableError',
      'KmsUnavailableError',
    ]);
    await expect(jwt.sign({})).resolves.toBeTypeOf('string');
    expect(localKms.calls.GetPublicKey).toBe(2);
  });
});

describe('while KMS is away', () => {
  test('calls are refused at once, tokens verify, and health and events say so until it answers again', async () => {
    const told: KmsJwtEvent['type'][] = [];
    jwt.events.subscribe(({ type }) => told.push(type));
    const token = await jwt.sign({});
    expect(jwt.health().circuit).toBe('closed');

    const away = localKms.inject({ kind: 'html' });
    for (let call = 0; call < 100; call += 1) {
      await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError' });
    }
    expect(away.count).toBe(10);
    expect(jwt.health()).toMatchObject({ circuit: 'open', keys: [keyId()] });
    await expect(jwt.verify(token)).resolves.toBeTypeOf('object');

    away.stop();
    const later = performance.now() + 1000;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
    await jwt.sign({});
    clock.mockRestore();
    expect(jwt.health().circuit).toBe('closed');
    expect(told).toEqual(['circuit_opened', 'circuit_closed']);
  });

  test('more calls than maxConcurrency and maxQueue are refused at once', async () => {
    await close();
    jwt = await start({ maxConcurrency: 1, maxQueue: 0 });
    const held = localKms.inject({ kind: 'hang' });
    const first = jwt.sign({});
    await vi.waitFor(() => expect(held.count).toBe(1));
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'overloaded' });
    held.stop();
    await first;
  });
});

describe('one deadline stands over sign', () => {
  test('though the key has to be fetched first', async () => {
    await close();
    jwt = await start({ lazy: true, timeout: 400 });
    localKms.inject({ kind: 'delay', milliseconds: 300 });
    const started = performance.now();
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'timeout' });
    expect(performance.now() - started).toBeLessThan(550);
  });

  test('though the alias has moved, so that it takes two signatures', async () => {
    await close();
    jwt = await start({ requestAlias: true, timeout: 400 });
    const move = new UpdateAliasCommand({
      AliasName: 'alias/auth',
      TargetKeyId: localKms.keys[1]?.keyId ?? '',
    });
    await localKms.client().send(move);
    localKms.inject({ kind: 'delay', milliseconds: 300 });
    const started = performance.now();
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'timeout' });
    expect(performance.now() - started).toBeLessThan(550);
  });
});

describe('at shutdown', () => {
  test('what is being signed is finished, what comes then is refused, and tokens still verify', async () => {
    let completed = false;
    jwt.events.subscribe({ complete: () => (completed = true) });
    const held = localKms.inject({ kind: 'hang' });
    const signing = jwt.sign({ sub: 'user-42' });
    await vi.waitFor(() => expect(held.count).toBe(1));
    const closed = jwt.onApplicationShutdown();
    await expect(jwt.sign({})).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'shutdown' });

    held.stop();
    const token = await signing;
    await closed;
    expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
    expect(completed).toBe(true);
  });

  test('what waits for the key is finished, too, and the key set is none without keys', async () => {
    await close();
    jwt = await start({ lazy: true });
    const held = localKms.inject({ kind: 'hang', operation: 'GetPublicKey' });
    const signing = jwt.sign({ sub: 'user-42' });
    const jwks = jwt.jwks();
    await vi.waitFor(() => expect(held.count).toBe(1));
    const closed = jwt.onApplicationShutdown();
    held.stop();
    const token = await signing;
    expect((await jwks).keys).toHaveLength(1);
    await closed;
    expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
  });

  test('a service that never had its key says that it is going, not that it has none', async () => {
    await close();
    jwt = await start({ lazy: true });
    await close();
    await expect(jwt.jwks()).rejects.toMatchObject({ reason: 'shutdown' });
    await expect(jwt.sign({})).rejects.toMatchObject({ reason: 'shutdown' });
  });
});

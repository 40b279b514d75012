import { SignCommand } from '@aws-sdk/client-kms';
import { Logger } from '@nestjs/common';
import {
  type JsonWebKey,
  KmsJwtError,
  TokenError,
  type SignOptions,
  type VerifyOptions,
} from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { kmsJwtOver } from '../transports/app-under-test.js';
import { FAMILIES } from '../transports/families.js';
import { hostile } from './corpus.js';
import { type OverheardApp, startOverheardApp } from './secrets/app.js';
import { Eavesdropper } from './secrets/eavesdropper.js';
import { CARRIERS, ECHOES, echoSign, FAULTS, quoteOf, quoting, tappedKms } from './secrets/kms.js';
import { newCanary, newNumber, Secrets } from './secrets/secrets.js';
import { AUDIENCE, type Case, ISSUER, jwksOf, type Keys, newKeys, optionsOf, signed } from './support.js';

/** Claims whose every text is a secret, and one number. Their time is given, so that they make the same signing input again. */
const newClaims = () => ({
  iss: newCanary(),
  aud: [newCanary()],
  sub: newCanary(),
  jti: newCanary(),
  nonce: newCanary(),
  scope: newCanary(),
  account: { emails: [newCanary()] },
  account_number: newNumber(),
  iat: 1_700_000_000,
});

/** An app, claims, and a token that it signed with them. */
async function setUp(options: Parameters<typeof startOverheardApp>[0] = {}, carrier?: string) {
  const secrets = new Secrets();
  const kms = await tappedKms(secrets, carrier);
  const app = await startOverheardApp({ client: kms.client, ...options });
  const claims = newClaims();
  const token = await app.jwt.sign(claims);
  secrets.addToken('the token', token);
  const signingInput = token.slice(0, token.lastIndexOf('.'));
  return { ...app, kms, secrets, claims, token, signingInput };
}

const FITS_IN_HEADER = /^[\x21-\x7e]{1,8000}$/;
/** In characters: JSON may spell each with six. */
const LONGEST_IN_BODY = 2 * 1024 * 1024;

/** Verifies it, takes it apart, and calls the app with it if a request can carry it. */
async function send(app: OverheardApp, one: Case, keys: Keys, secrets: Secrets) {
  const token = one.make(keys) as string;
  const verify = optionsOf(one, keys);
  if (typeof token === 'string') secrets.addToken(one.name, token);

  expect(await app.thrownBy(() => app.jwt.verify(token, verify)), one.name).toBeInstanceOf(TokenError);
  await app.thrownBy(() => app.jwt.decode(token));
  if (typeof token !== 'string') return;
  const place = FITS_IN_HEADER.test(token) ? 'header' : 'body';
  if (token.length <= LONGEST_IN_BODY)
    expect(await app.call(token, { in: place, verify }), one.name).toBe(401);
}

describe('a hostile token', () => {
  test.each(Object.entries(hostile))('with %s', async (_, cases) => {
    const claims = withoutExpected(newClaims());
    const keys: Keys = { ...newKeys(), claims };
    const secrets = new Secrets().addToken('a good token', signed(keys));
    const app = await startOverheardApp({ verificationKeys: jwksOf(keys).keys as JsonWebKey[] });

    for (const one of cases) await send(app, one, keys, secrets);
    expect(secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
  });
});

/** Without what the corpus has expectations of. */
function withoutExpected({ sub, jti, scope, account, account_number }: ReturnType<typeof newClaims>) {
  return { sub, jti, scope, account, account_number };
}

describe('at every door a hostile token', () => {
  const cases = Object.values(hostile).flatMap((group) => group.filter(({ options }) => !options));
  const sample = cases.filter((_, index) => index % 20 === 0);

  test.each(FAMILIES)('of $name', async ({ doors, options }) => {
    const keys: Keys = { ...newKeys(), claims: withoutExpected(newClaims()) };
    const secrets = new Secrets().addToken('a good token', signed(keys));
    const eavesdropper = new Eavesdropper();
    const door = await doors[0]?.start(
      kmsJwtOver(new LocalKms({ keys: [{ alias: 'auth' }] }), {
        ...options,
        verificationKeys: jwksOf(keys).keys as JsonWebKey[],
        verifyOptions: { issuer: ISSUER, audience: AUDIENCE },
      }),
    );
    onTestFinished(async () => void (await door?.close()));

    for (const one of sample) {
      const token = one.make(keys);
      if (typeof token !== 'string' || !FITS_IN_HEADER.test(token)) continue;
      secrets.addToken(one.name, token);
      eavesdropper.hear(await door?.call(token));
    }
    expect(eavesdropper.heard.size).toBeGreaterThan(1);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });
});

/** A schema that is told the claims as a text. */
const schemaThat = (refuse: (claims: string) => { issues: { message: string; path?: string[] }[] }) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (claims: unknown) => refuse(JSON.stringify(claims)),
  },
});

describe('a token that is good, where what is asked of it is', () => {
  test.each<[string, (expected: string) => VerifyOptions]>([
    ['another issuer', (issuer) => ({ issuer })],
    ['another issuer, by expressions', (issuer) => ({ issuer: [issuer, new RegExp(issuer)] })],
    ['another audience', (audience) => ({ audience: [audience, 'nobody'] })],
    ['another subject', (subject) => ({ subject })],
    ['another id', (jwtid) => ({ jwtid })],
    ['another nonce', (nonce) => ({ nonce })],
    ['an age', () => ({ maxAge: '1h' })],
    ['a claim that is missing', () => ({ requiredClaims: ['exp'] })],
    ['another type', (typ) => ({ typ })],
    ['a schema of zod', (sub) => ({ schema: z.object({ sub: z.literal(sub) }) })],
    [
      'a schema that quotes',
      () => ({ schema: schemaThat((message) => ({ issues: [{ message, path: ['account', 'emails'] }] })) }),
    ],
    [
      'a schema that throws',
      () => ({
        schema: schemaThat((claims) => {
          throw new TypeError(claims);
        }),
      }),
    ],
  ])('%s', async (_, expecting) => {
    const { jwt, token, secrets, call, thrownBy, eavesdropper } = await setUp();
    const expected = newCanary();
    secrets.add('what is expected', expected);
    const verify = expecting(expected);

    expect(await thrownBy(() => jwt.verify(token, verify))).toBeInstanceOf(TokenError);
    expect(await call(token, { verify })).toBe(401);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });

  test('another scope', async () => {
    const { token, secrets, call, eavesdropper } = await setUp();
    expect(await call(token, { path: '/scoped' })).toBe(403);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });

  test('not to be revoked, which cannot be told', async () => {
    const errors = [
      ({ jti }: { jti?: string }) => new Error(`MOVED ${jti}`),
      ({ jti }: { jti?: string }) =>
        Object.assign(new Error('away'), { command: { args: [`revoked:${jti}`] } }),
      ({ jti }: { jti?: string }) => new Error('away', { cause: new Error(`GET revoked:${jti}`) }),
      (claims: object) => JSON.stringify(claims),
    ];
    for (const errorOf of errors) {
      const { jwt, token, secrets, call, thrownBy, eavesdropper } = await setUp({
        isRevoked: (claims) => {
          throw errorOf(claims);
        },
      });
      expect(await thrownBy(() => jwt.verify(token))).toMatchObject({ code: 'revocation_unavailable' });
      expect(await call(token)).toBe(503);
      expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
    }
  });
});

describe.each([
  ['in process', 'DIGEST'],
  ['in process', 'RAW'],
  ['over HTTP', 'RAW'],
] as const)('KMS %s, that is sent the %s and quotes it', (carrier, messageType) => {
  test.each(FAULTS)('%s', async (_, fault) => {
    const app = await setUp({ messageType }, carrier);
    const injected = app.kms.localKms.inject(quoting(fault, quoteOf(app.signingInput)));
    expect(await app.thrownBy(() => app.jwt.sign(app.claims))).toBeInstanceOf(KmsJwtError);
    expect(await app.login(app.claims)).toBe(503);
    expect(injected.count).toBeGreaterThanOrEqual(2);
    expect(app.secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
  });
});

test.each(Object.keys(CARRIERS))('KMS %s that is silent', async (carrier) => {
  const app = await setUp({ messageType: 'RAW', timeout: 1000 }, carrier);
  app.kms.localKms.inject({ kind: 'hang', operation: 'Sign', times: 1 });
  app.kms.localKms.inject({ kind: 'delay', milliseconds: 60_000, operation: 'Sign' });
  const thrown = app.thrownBy(() => app.jwt.sign(app.claims));
  expect(await app.login(app.claims)).toBe(503);
  expect(await thrown).toMatchObject({ reason: 'timeout' });
  expect(app.secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
});

test('KMS that is away until it is not asked any more', async () => {
  const app = await setUp({ messageType: 'RAW' });
  app.jwt.events.subscribe((event) => app.eavesdropper.hear(event));
  const fault: LocalKmsFault = { kind: 'error', name: 'KMSInternalException', status: 500 };
  app.kms.localKms.inject(quoting(fault, quoteOf(app.signingInput)));
  const sign = () => app.thrownBy(() => app.jwt.sign(app.claims));
  await expect.poll(sign).toMatchObject({ reason: 'circuit_open' });
  expect(await app.login(app.claims)).toBe(503);
  expect(app.secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
});

test.each(Object.entries(ECHOES))('a proxy that answers with %s', async (_, echo) => {
  const { jwt, kms, claims, secrets, login, thrownBy, eavesdropper } = await setUp(
    { messageType: 'RAW' },
    'over HTTP',
  );
  await echoSign(kms, echo);
  expect(await thrownBy(() => jwt.sign(claims))).toMatchObject({ code: 'kms_unavailable' });
  expect(await login(claims)).toBe(503);
  expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
});

test('signing that is given up', async () => {
  const { jwt, kms, claims, secrets, thrownBy, eavesdropper } = await setUp({ messageType: 'RAW' });
  await thrownBy(() => jwt.sign(claims, { signal: AbortSignal.abort() }));
  kms.localKms.inject({ kind: 'hang', operation: 'Sign' });
  await thrownBy(() => jwt.sign(claims, { signal: AbortSignal.timeout(5) }));
  expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
});

test('a payload that cannot be signed, and options that cannot be used', async () => {
  const { jwt, secrets, login, thrownBy, eavesdropper } = await setUp({ messageType: 'RAW' });
  const secret = newCanary();
  secrets.add('the secret', secret);
  const throwing = () => {
    throw new Error(secret);
  };
  const circle: Record<string, unknown> = { secret };
  circle['circle'] = circle;

  const payloads: unknown[] = [
    ...['exp', 'nbf', 'iat'].map((claim) => ({ [claim]: secret })),
    ...['iss', 'sub', 'aud', 'jti'].map((claim) => ({ [claim]: { secret } })),
    { aud: [secret, 1] },
    { filling: 'x'.repeat(4096), secret },
    { secret: new Map([[secret, secret]]) },
    { secret: [secret, new Date()] },
    { secret, size: 1n },
    { secret, toJSON: () => secret },
    { secret: { toJSON: throwing } },
    Object.defineProperty({}, 'secret', { enumerable: true, get: throwing }),
    circle,
    [secret],
    secret,
    Buffer.from(secret),
    new Error(secret),
  ];
  for (const payload of payloads) {
    expect(await thrownBy(() => jwt.sign(payload as object))).toMatchObject({ code: 'options_invalid' });
  }
  for (const payload of payloads.slice(0, 9)) expect(await login(payload as object)).toBe(500);

  const signOptions: unknown[] = [
    { expiresIn: secret },
    { notBefore: `${secret}m` },
    ...['subject', 'issuer', 'jwtid'].map((option) => ({ [option]: [secret] })),
    { subject: secret },
    { audience: [secret, ''] },
    { header: { kid: secret } },
    { header: { secret: throwing } },
    { header: secret },
    { signal: secret },
    secret,
  ];
  for (const options of signOptions) {
    expect(await thrownBy(() => jwt.sign({ sub: secret }, options as SignOptions))).toMatchObject({
      code: 'options_invalid',
    });
  }
  expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
});

test('a ring store that quotes what it is given', async () => {
  const { jwt, kms, claims, secrets, eavesdropper } = await setUp({
    ringStore: {
      load: async () => undefined,
      save: async (ring) => {
        throw new Error(JSON.stringify(ring));
      },
    },
  });
  jwt.events.subscribe((event) => eavesdropper.hear(event));
  await jwt.sign(claims);
  kms.localKms.inject({ kind: 'error', name: 'DisabledException', operation: 'Sign' });
  await expect(jwt.sign(claims)).rejects.toThrow();
  await expect.poll(() => [...eavesdropper.heard].join()).toContain('ring store failed');
  expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
});

describe('the search finds a secret', () => {
  const secret = `${newCanary()}.${newCanary()}`;
  const bytes = Buffer.from(secret);
  const found = (text: string) => new Secrets().add('the secret', secret).foundIn([text]);

  test.each<[string, string]>([
    ['in a text', `Value '${secret}' at 'message'`],
    ['that is cut', `Value '${secret.slice(0, 20)}…`],
    ['whose beginning is cut off', `… ${secret.slice(20)}`],
    ['in base64', btoa(secret)],
    ['in base64, behind one byte', btoa(`"${secret}"`)],
    ['in base64, behind two bytes', btoa(`{"${secret}"}`)],
    ['in base64url', Buffer.from(`ÿ${secret}`).toString('base64url')],
    ['in hex', bytes.toString('hex')],
    ['in capital hex', bytes.toString('hex').toUpperCase()],
    ['as a Buffer', JSON.stringify(bytes)],
    ['as a Buffer that holds it in base64', JSON.stringify(Buffer.from(btoa(secret)))],
    ['as a list in lines', [...bytes].join(',\n  ')],
  ])('%s', (_, text) => {
    expect(found(text)).toEqual([expect.stringContaining('the secret')]);
    expect(found(text.toLowerCase().replace(/[a-z0-9]/g, 'x'))).toEqual([]);
  });

  test('that is a number among the claims', async () => {
    const claims = newClaims();
    const secrets = new Secrets().addToken('a token', signed(newKeys(), {}, claims));
    const { thrownBy, eavesdropper } = await startOverheardApp({});
    await thrownBy(() => {
      throw Object.assign(new Error('failed'), { of: { account_number: claims.account_number } });
    });
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([
      expect.stringContaining(`${claims.account_number}`),
    ]);
  });

  const planted: [string, (error: Error) => unknown][] = [
    ['a message', () => new Error(secret)],
    ['a name', (error) => Object.assign(error, { name: secret })],
    ['a stack', (error) => Object.assign(error, { stack: secret })],
    ['a cause', () => new Error('failed', { cause: new Error('failed', { cause: new Error(secret) }) })],
    ['a cause that is no error', () => new Error('failed', { cause: { secret } })],
    ['a property', (error) => Object.assign(error, { request: { body: [secret] } })],
    ['bytes', (error) => Object.assign(error, { rawPacket: bytes })],
    ['a symbol', (error) => Object.assign(error, { [Symbol('request')]: secret })],
    ['a map', (error) => Object.assign(error, { headers: new Map([['authorization', secret]]) })],
    ['a hidden property', (error) => Object.defineProperty(error, '$response', { value: { secret } })],
    ['what JSON makes of it', (error) => Object.assign(error, { toJSON: () => secret })],
    ['something else than an error', () => [{ secret }]],
  ];
  test.each(planted)('in %s of what is thrown', async (_, plant) => {
    const { thrownBy, eavesdropper } = await startOverheardApp({});
    await thrownBy(() => {
      throw plant(new Error('failed'));
    });
    expect(new Secrets().add('the secret', secret).foundIn(eavesdropper.heard)).toHaveLength(1);
  });

  const said: [string, () => unknown][] = [
    ["Nest's Logger", () => new Logger('App').debug({ secret })],
    ['console.log', () => console.log('%s', secret)],
    ['console.error', () => console.error(new Error('failed', { cause: secret }))],
    ['process.stdout', () => process.stdout.write(`${secret}\n`)],
    ['process.stderr', () => process.stderr.write(bytes)],
    ['process.emitWarning', () => process.emitWarning(secret)],
  ];
  test.each(said)('in what goes to %s', async (_, say) => {
    const { eavesdropper } = await startOverheardApp({});
    say();
    expect(new Secrets().add('the secret', secret).foundIn(eavesdropper.heard)).toHaveLength(1);
  });

  test('in an answer', async () => {
    const eavesdropper = new Eavesdropper();
    await eavesdropper.hearAnswer(new Response(null, { headers: { 'www-authenticate': secret } }));
    expect(new Secrets().add('the secret', secret).foundIn(eavesdropper.heard)).toHaveLength(1);
  });

  test("in the SDK's own error: in what KMS says, and in the request that it leads to", async () => {
    const secrets = new Secrets();
    const { localKms, client } = await tappedKms(secrets, 'over HTTP');
    const eavesdropper = new Eavesdropper();
    localKms.inject({ kind: 'error', name: 'ValidationException', message: quoteOf('the.message') });
    const Message = Buffer.from(quoteOf('the.message'));
    const sign = {
      KeyId: 'alias/auth',
      SigningAlgorithm: 'ECDSA_SHA_256',
      MessageType: 'RAW',
      Message,
    } as const;
    eavesdropper.hear(await client.send(new SignCommand(sign)).catch((error: unknown) => error));
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([
      expect.stringContaining('what KMS was sent'),
      expect.stringContaining('session token'),
    ]);
  });
});

import { DisableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import type { ExecutionContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  fromAuthHeader,
  InsufficientScopeError,
  type KmsJwtError,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  OriginNotAllowedError,
  TokenAmbiguousError,
  TokenMissingError,
  TokenRejectedError,
  type TokenExtractor,
  type VerifyOptions,
} from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { z } from 'zod';
import { CLOCK } from '../../src/keys/clock.js';
import { translateKmsError } from '../../src/kms/kms-errors.js';
import { loadError } from '../../src/kms/sdk-load-error.js';
import { TestClock } from '../../src/testing/test-clock.js';
import { forge, newKeyPair } from '../support/forge.js';
import { TestIssuer } from '../support/issuer.js';
import { verificationKey } from '../support/verification-key.js';

const keys = newKeyPair();
const jwks = { keys: [verificationKey('a', keys.publicKey).jwk] };
const HEADER = { alg: 'ES256', typ: 'JWT', kid: 'a' };
const CLOSED_PORT = 'http://127.0.0.1:1';

const tokenOf = (claims: object, header: unknown = HEADER, key = keys.privateKey) =>
  forge(header, claims, key);
const never = () => new Promise<never>(() => {});
const failing = async () => Promise.reject(new Error('hush'));
const named = (name: string, more: object = {}) => Object.assign(new Error('message'), { name, ...more });

/** Starts an app; the caller makes something in it fail. */
async function start(options: Partial<KmsJwtModuleOptions>, providers: Type[] = [], clock?: TestClock) {
  const builder = Test.createTestingModule({ imports: [KmsJwtModule.forRoot(options)], providers }).setLogger(
    {
      log() {},
      warn() {},
      error() {},
    },
  );
  if (clock) builder.overrideProvider(CLOCK).useValue(clock);
  const module = await builder.compile();
  await module.init();
  return { module, jwt: module.get(KmsJwtService) };
}

/** The error that a call throws. */
async function thrownBy(call: () => unknown): Promise<KmsJwtError> {
  try {
    await call();
  } catch (error) {
    return error as KmsJwtError;
  }
  throw new TypeError('The call has succeeded');
}

async function verifying(
  options: Partial<KmsJwtModuleOptions>,
  tokens: [token: unknown, options?: VerifyOptions][],
): Promise<KmsJwtError[]> {
  const { module, jwt } = await start(options);
  const errors = [];
  for (const [token, asked] of tokens) errors.push(await thrownBy(() => jwt.verify(token as string, asked)));
  await module.close();
  return errors;
}

/** The error of a token whose issuer is to be looked up while ten lookups run. */
async function whileLookupsRun(): Promise<KmsJwtError> {
  const { module, jwt } = await start({ issuers: never, limits: { timeout: 200 } });
  const verify = (iss: string) => thrownBy(() => jwt.verify(tokenOf({ iss })));
  const all = await Promise.all(Array.from({ length: 11 }, (_, index) => verify(`https://${index}.example`)));
  await module.close();
  return all[10]!;
}

const schemaOf = (validate: () => unknown) =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as unknown as NonNullable<
    VerifyOptions['schema']
  >;

/** One or more of each class, with the message that an app receives. */
export async function tokenErrors(): Promise<KmsJwtError[]> {
  return [
    new TokenMissingError(),
    new TokenRejectedError(),
    ...(await verifying({ jwks }, [
      [42],
      ['a.b'],
      ['x'.repeat(20_000)],
      [`Bearer ${tokenOf({})}`],
      [tokenOf({}).replace('.', '=.')],
      [tokenOf({}, '[]')],
      [tokenOf({}, '{')],
      [tokenOf({}, { ...HEADER, crit: ['b64'] })],
      [tokenOf({}, { ...HEADER, enc: 'A256GCM' })],
      [tokenOf({}, { ...HEADER, typ: 'at+jwt' })],
      [tokenOf({}, HEADER, newKeyPair().privateKey)],
      [tokenOf({}, { ...HEADER, alg: 'ES384' })],
      [tokenOf({}, { ...HEADER, kid: 'b' })],
      [tokenOf({}), { verification: 'kms' }],
      [tokenOf({ exp: 1 })],
      [tokenOf({ iat: 1 }), { maxAge: '1m' }],
      [tokenOf({ nbf: 9_999_999_999 })],
      [tokenOf({ aud: 'invoices' }), { audience: 'orders' }],
      [tokenOf({}), { audience: 'orders' }],
      [tokenOf({ exp: 'soon' })],
      [tokenOf({ iat: 9_999_999_999 }), { maxAge: '1m' }],
      [tokenOf({ level: 'high' }), { schema: z.object({ level: z.number() }) }],
      [tokenOf({}), { schema: schemaOf(() => undefined) }],
      [tokenOf({ cnf: { jkt: 'x' } })],
    ])),
    ...(await verifying({ jwks, isRevoked: () => true }, [[tokenOf({})]])),
    ...(await verifiedByKms('KMSInvalidSignatureException')),
    ...(await verifiedByKms('DisabledException')),
  ];
}

async function verifiedByKms(name: string): Promise<KmsJwtError[]> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client({ maxAttempts: 1 });
  const { module, jwt } = await start({ keyId: 'alias/auth', client, verification: 'kms' });
  localKms.inject({ kind: 'error', name, operation: 'Verify' });
  const token = await jwt.sign({});
  const error = await thrownBy(() => jwt.verify(token));
  await module.close();
  return [error];
}

export const OTHER_REFUSALS: KmsJwtError[] = [
  new TokenAmbiguousError(),
  new InsufficientScopeError(['orders:read']),
  new OriginNotAllowedError(),
];

const FAULTS_OF_SIGN: LocalKmsFault[] = [
  { kind: 'throttle' },
  { kind: 'hang' },
  { kind: 'drop' },
  { kind: 'html' },
  { kind: 'error', name: 'AccessDeniedException' },
  { kind: 'error', name: 'ExpiredTokenException' },
  { kind: 'error', name: 'DisabledException' },
  { kind: 'otherKey' },
  { kind: 'corruptSignature' },
  { kind: 'omitSignature' },
];

export async function unavailable(): Promise<KmsJwtError[]> {
  const limits = { timeout: 50 };
  const iss = { iss: CLOSED_PORT, aud: 'orders' };
  const discovered = {
    issuer: CLOSED_PORT,
    algorithms: 'ES256',
    audience: 'orders',
    keys: { discovery: true },
  } as const;
  return [
    ...(await Promise.all(FAULTS_OF_SIGN.map((fault) => signingWith({ ...fault, operation: 'Sign' })))),
    translateKmsError(named('Error', { code: 'EAI_AGAIN' }), 'Sign', 'alias/auth', false),
    await withFullQueue(),
    await startError({}, { rotation: { distrustedKeys: ['1234abcd-12ab-34cd-56ef-1234567890ab'] } }),
    await staleKeySet(),
    ...(await verifying({ jwksUri: `${CLOSED_PORT}/jwks.json`, lazy: true }, [[tokenOf({})]])),
    ...(await verifying({ issuers: [discovered] }, [[tokenOf(iss)]])),
    ...(await verifying({ issuers: failing }, [[tokenOf(iss)]])),
    ...(await verifying({ issuers: never, limits }, [[tokenOf(iss)]])),
    await whileLookupsRun(),
    ...(await verifying({ jwks, isRevoked: failing }, [[tokenOf({})]])),
    ...(await verifying({ jwks, isRevoked: never, limits }, [[tokenOf({})]])),
    ...(await verifying({ jwks, isRevoked: () => 'no' as never }, [[tokenOf({})]])),
    ...(await verifying({ jwks, limits }, [
      [tokenOf({}), { schema: schemaOf(failing) }],
      [tokenOf({}), { schema: schemaOf(never) }],
    ])),
    await slowAuthentication(),
  ];
}

async function signingWith(fault: LocalKmsFault): Promise<KmsJwtError> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'other' }] });
  const client = localKms.client({ maxAttempts: 1 });
  const { module, jwt } = await start({ keyId: 'alias/auth', client, limits: { timeout: 500 } });
  localKms.inject(fault);
  const error = await thrownBy(() => jwt.sign({}));
  await module.close();
  return error;
}

async function withFullQueue(): Promise<KmsJwtError> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client({ maxAttempts: 1 });
  const limits = { maxConcurrency: 1, maxQueue: 0, timeout: 500 };
  const { module, jwt } = await start({ keyId: 'alias/auth', client, limits });
  const fault = localKms.inject({ kind: 'hang', operation: 'Sign' });
  const first = jwt.sign({});
  const error = await thrownBy(() => jwt.sign({}));
  fault.stop();
  await first;
  await module.close();
  return error;
}

async function staleKeySet(): Promise<KmsJwtError> {
  const issuer = new TestIssuer('a');
  await issuer.listen();
  const clock = new TestClock(new Date());
  const { module, jwt } = await start({ jwksUri: issuer.jwksUri }, [], clock);
  const token = issuer.token();
  issuer.close();
  clock.advance('25h');
  const error = await thrownBy(() => jwt.verify(token));
  await module.close();
  return error;
}

async function slowAuthentication(): Promise<KmsJwtError> {
  let refused: KmsJwtError | undefined;
  class SlowGuard extends KmsJwtGuard {
    protected override authenticate = never;
    protected override handleError(error: KmsJwtError, context: ExecutionContext) {
      refused = error;
      return super.handleError(error, context);
    }
  }
  const { module } = await start({ jwks, limits: { timeout: 10 } }, [SlowGuard]);
  const handshake = { headers: { authorization: `Bearer ${tokenOf({})}` }, query: {} };
  const client = { handshake, data: {}, emit() {}, disconnect() {} };
  await module.get(SlowGuard).acceptConnection(client);
  await module.close();
  return refused as KmsJwtError;
}

/** The error with which an app with a LocalKms does not start. */
async function startError(
  { fault, change }: { fault?: LocalKmsFault; change?: DisableKeyCommand | ScheduleKeyDeletionCommand },
  options: Partial<KmsJwtModuleOptions> = {},
): Promise<KmsJwtError> {
  const localKms = new LocalKms({
    keys: [
      { alias: 'auth', keyId: '1234abcd-12ab-34cd-56ef-1234567890ab' },
      { alias: 'rsa', keySpec: 'RSA_2048' },
    ],
  });
  const client = localKms.client({ maxAttempts: 1 });
  if (change) await client.send(change);
  if (fault) localKms.inject(fault);
  return thrownBy(() => start({ keyId: 'alias/auth', client, ...options }));
}

export async function optionErrors(): Promise<KmsJwtError[]> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const kms = { keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }) };
  const { module, jwt } = await start(kms);
  const again = Test.createTestingModule({ imports: [KmsJwtModule.forRoot(kms), KmsJwtModule.forRoot(kms)] });
  const errors = [
    await thrownBy(() => start({})),
    await thrownBy(() => start({ ...kms, isGlobl: true } as object)),
    await thrownBy(() => start({ ...kms, secret: 'hush' } as object)),
    await thrownBy(() => start({ ...kms, verifyOptions: { audience: undefined as never } })),
    await thrownBy(() => start({ ...kms, signOptions: { expiresIn: '900' as never } })),
    await thrownBy(() =>
      start({ ...kms, guard: { tokenFrom: fromAuthHeader as unknown as TokenExtractor } }),
    ),
    await thrownBy(() => again.compile()),
    await thrownBy(() => jwt.sign({ exp: 2_000_000_000 }, { expiresIn: '15m' })),
    await thrownBy(() => jwt.sign({ exp: Date.now() })),
    translateKmsError(new Error('Region is missing'), 'GetPublicKey', 'alias/auth', false),
    loadError(
      Object.assign(new Error("Cannot find package '@aws-sdk/client-kms' imported from /app"), {
        code: 'ERR_MODULE_NOT_FOUND',
      }),
    ),
  ];
  await module.close();
  return errors;
}

export async function startErrors(): Promise<KmsJwtError[]> {
  const KeyId = '1234abcd-12ab-34cd-56ef-1234567890ab';
  return [
    await startError({}, { limits: { timeout: -1 } }),
    await startError({}, { keyId: 'auth' }),
    await startError({}, { keyId: 'alias/none' }),
    await startError({ change: new DisableKeyCommand({ KeyId }) }),
    await startError({ change: new ScheduleKeyDeletionCommand({ KeyId }) }),
    await startError({}, { keyId: 'alias/rsa' }),
    await startError({ fault: { kind: 'error', name: 'AccessDeniedException' } }),
    await startError({ fault: { kind: 'drop' } }),
    await thrownBy(() => start({ jwksUri: `${CLOSED_PORT}/jwks.json` })),
  ];
}

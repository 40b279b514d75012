import { Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtOptionsError,
  type KmsJwtOptionsFactory,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
const options: KmsJwtModuleOptions = { keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }) };

async function start(imported: ReturnType<typeof KmsJwtModule.forRoot>) {
  const app = await Test.createTestingModule({ imports: [imported] }).compile();
  onTestFinished(() => app.close());
  return app.init();
}

describe('a string given to forRoot', () => {
  test('is the keyId', async () => {
    const server = await localKms.listen();
    onTestFinished(() => server.close());
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', server.url);
    vi.stubEnv('AWS_REGION', 'us-east-1');
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
    onTestFinished(() => void vi.unstubAllEnvs());
    const jwt = (await start(KmsJwtModule.forRoot('alias/auth'))).get(KmsJwtService);
    await expect(jwt.verify(await jwt.sign({ sub: 'user-42' }))).resolves.toMatchObject({ sub: 'user-42' });
  });

  test('must not be empty', async () => {
    await expect(start(KmsJwtModule.forRoot(''))).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'keyId',
    });
  });
});

describe.each<[string, unknown]>([
  ['isGlobal', true],
  ['name', 'internal'],
  ['jwksPath', 'keys'],
  ['discovery', true],
])('%s must be next to useFactory, and is refused at start', (option, value) => {
  const given = { ...options, [option]: value };
  const problem = 'must be beside useFactory in forRootAsync, not in its result';
  const refused = new KmsJwtOptionsError(option, problem);
  class OptionsFactory implements KmsJwtOptionsFactory {
    createKmsJwtOptions() {
      return given;
    }
  }
  @Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
  class FactoryModule {}

  test.each([
    ['useFactory', { useFactory: () => given }],
    ['useClass', { useClass: OptionsFactory }],
    ['useExisting', { imports: [FactoryModule], useExisting: OptionsFactory }],
  ])('in the result of %s', async (_, asyncOptions) => {
    await expect(start(KmsJwtModule.forRootAsync(asyncOptions))).rejects.toThrow(refused);
  });
});

const inherited = (given: object, own: object) =>
  Object.assign(Object.create(given) as object, own) as KmsJwtModuleOptions;

describe('an inherited option throws', () => {
  const problem = 'is inherited: options must be own, enumerable properties';

  test.each<[string, object]>([
    ['isRevoked', { isRevoked: () => true }],
    ['verifyOptions', { verifyOptions: { audience: 'orders' } }],
    ['isGlobal', { isGlobal: true }],
    ['jwksPath', { jwksPath: 'keys' }],
  ])('%s of forRoot', (option, given) => {
    expect(() => KmsJwtModule.forRoot(inherited(given, options))).toThrow(
      new KmsJwtOptionsError(option, problem),
    );
  });

  test('isGlobal of forRootAsync', () => {
    const given = inherited({ isGlobal: true }, { useFactory: () => options }) as object;
    expect(() => KmsJwtModule.forRootAsync(given)).toThrow(new KmsJwtOptionsError('isGlobal', problem));
  });

  test('isRevoked in the result of useFactory, at start', async () => {
    const given = inherited({ isRevoked: () => true }, options);
    await expect(start(KmsJwtModule.forRootAsync({ useFactory: () => given }))).rejects.toThrow(
      new KmsJwtOptionsError('isRevoked', problem),
    );
  });
});

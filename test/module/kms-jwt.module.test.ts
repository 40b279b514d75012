import { Inject, Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  getKmsJwtServiceToken,
  InjectKmsJwt,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtOptionsError,
  type KmsJwtOptionsFactory,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsKeyOptions } from 'nestjs-kms-jwt/local';
import { afterEach, describe, expect, test } from 'vitest';

const apps: TestingModule[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function start(...imports: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>) {
  const app = await Test.createTestingModule({ imports }).compile();
  apps.push(app);
  return app.init();
}

const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'internal' }] });
const options: KmsJwtModuleOptions = { keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }) };
const refusal = (option: string) => ({ name: 'KmsJwtOptionsError', option });

describe('forRootAsync', () => {
  const OPTIONS = 'OPTIONS';
  @Module({ providers: [{ provide: OPTIONS, useValue: options }], exports: [OPTIONS] })
  class ConfigModule {}

  @Injectable()
  class OptionsFactory implements KmsJwtOptionsFactory {
    createKmsJwtOptions() {
      return options;
    }
  }
  @Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
  class FactoryModule {}

  test.each([
    [
      'useFactory, with imports and inject',
      { imports: [ConfigModule], inject: [OPTIONS], useFactory: (given: KmsJwtModuleOptions) => given },
    ],
    ['an asynchronous useFactory', { useFactory: async () => Promise.resolve(options) }],
    ['useClass', { useClass: OptionsFactory }],
    ['useExisting', { imports: [FactoryModule], useExisting: OptionsFactory }],
  ])('accepts %s', async (_, asyncOptions) => {
    const jwt = (await start(KmsJwtModule.forRootAsync(asyncOptions))).get(KmsJwtService);
    await expect(jwt.verify(await jwt.sign({ sub: 'user-42' }))).resolves.toMatchObject({ sub: 'user-42' });
  });

  test('throws without exactly one source of options, and for unknown members', () => {
    const problem = 'needs exactly one of useFactory, useClass and useExisting';
    const refused = new KmsJwtOptionsError('forRootAsync', problem);
    expect(() => KmsJwtModule.forRootAsync({})).toThrow(refused);
    expect(() => KmsJwtModule.forRootAsync({ useFactory: () => options, keyId: 'x' } as never)).toThrow(
      expect.objectContaining(refusal('keyId')),
    );
    expect(() => KmsJwtModule.forRootAsync({ useFactory: 'x' } as never)).toThrow(
      expect.objectContaining(refusal('useFactory')),
    );
    expect(() => KmsJwtModule.forRootAsync({ useFactory: () => options, useClass: OptionsFactory })).toThrow(
      refused,
    );
    expect(() => KmsJwtModule.forRootAsync(undefined as never)).toThrow(
      expect.objectContaining(refusal('options')),
    );
  });

  test('checks the result of the factory', async () => {
    await expect(start(KmsJwtModule.forRootAsync({ useFactory: () => ({}) }))).rejects.toMatchObject(
      refusal('keyId'),
    );
    await expect(
      start(KmsJwtModule.forRootAsync({ useFactory: () => undefined as never })),
    ).rejects.toMatchObject(refusal('options'));
  });
});

describe('forRoot refuses', () => {
  test.each<[string, unknown]>([
    ['keyId', {}],
    ['limits.timeout', { ...options, limits: { timeout: -1 } }],
    ['signOptions.expiresIn', { ...options, signOptions: { expiresIn: 'soon' } }],
    ['secret', { ...options, secret: 'hush' }],
  ])('at start: %s', async (option, given) => {
    await expect(start(KmsJwtModule.forRoot(given as KmsJwtModuleOptions))).rejects.toMatchObject(
      refusal(option),
    );
  });

  test.each<[string, unknown]>([
    ['options', undefined],
    ['name', { ...options, name: '' }],
    ['name', { ...options, name: 7 }],
    ['isGlobal', { ...options, isGlobal: 'yes' }],
  ])('at once, because the value is needed synchronously: %s', (option, given) => {
    expect(() => KmsJwtModule.forRoot(given as KmsJwtModuleOptions)).toThrow(
      expect.objectContaining(refusal(option)),
    );
  });
});

describe('isGlobal', () => {
  @Injectable()
  class Tokens {
    constructor(@Inject(KmsJwtService) readonly jwt: KmsJwtService) {}
  }
  @Module({ providers: [Tokens] })
  class Feature {}

  test('provides the service to every module', async () => {
    const app = await start(KmsJwtModule.forRoot({ ...options, isGlobal: true }), Feature);
    expect(app.get(Tokens, { strict: false }).jwt).toBeInstanceOf(KmsJwtService);
  });

  test('is false by default: only modules that import it have the service', async () => {
    await expect(start(KmsJwtModule.forRoot(options), Feature)).rejects.toThrow(/KmsJwtService/);
  });
});

describe('name', () => {
  @Injectable()
  class Tokens {
    constructor(
      @InjectKmsJwt() readonly outer: KmsJwtService,
      @InjectKmsJwt('internal') readonly inner: KmsJwtService,
    ) {}
  }

  test('distinguishes several registrations in one app', async () => {
    const app = await Test.createTestingModule({
      imports: [
        KmsJwtModule.forRoot(options),
        KmsJwtModule.forRootAsync({
          name: 'internal',
          useFactory: () => ({ ...options, keyId: 'alias/internal' }),
        }),
      ],
      providers: [Tokens],
    }).compile();
    apps.push(await app.init());

    const { outer, inner } = app.get(Tokens);
    await expect(outer.verify(await outer.sign({}))).resolves.toBeDefined();
    await expect(inner.verify(await inner.sign({}))).resolves.toBeDefined();
    await expect(inner.verify(await outer.sign({}))).rejects.toMatchObject({ name: 'TokenKeyUnknownError' });
    expect(app.get(getKmsJwtServiceToken('internal'))).toBe(inner);
    expect(app.get(getKmsJwtServiceToken())).toBe(outer);
  });

  test('must be unique', async () => {
    const twice = () => KmsJwtModule.forRoot({ ...options, name: 'internal' });
    await expect(start(twice(), twice())).rejects.toMatchObject(refusal('name'));
    const withoutName = start(
      KmsJwtModule.forRoot(options),
      KmsJwtModule.forRoot({ ...options, lazy: true }),
    );
    await expect(withoutName).rejects.toMatchObject({
      ...refusal('name'),
      stack: expect.stringMatching(/^KmsJwtOptionsError: KmsJwt: name .* 2 registrations have no name: .*$/),
    });
  });

  test('may be the same in two apps, and one module may be imported twice', async () => {
    const shared = KmsJwtModule.forRoot(options);
    @Module({ imports: [shared] })
    class Feature {}
    await expect(start(shared, Feature)).resolves.toBeDefined();
    await expect(start(KmsJwtModule.forRoot(options))).resolves.toBeDefined();
  });
});

describe('at start', () => {
  test('the key is fetched once', async () => {
    localKms.resetCalls();
    await start(KmsJwtModule.forRoot(options));
    expect(localKms.calls.GetPublicKey).toBe(1);
  });

  test('the service is ready in the onModuleInit of another provider', async () => {
    @Injectable()
    class Eager {
      token = '';
      constructor(@Inject(KmsJwtService) private readonly jwt: KmsJwtService) {}
      async onModuleInit() {
        this.token = await this.jwt.sign({});
      }
    }
    localKms.resetCalls();
    const module = Test.createTestingModule({ imports: [KmsJwtModule.forRoot(options)], providers: [Eager] });
    const app = await module.compile();
    apps.push(await app.init());
    expect(app.get(Eager).token).not.toBe('');
    expect(localKms.calls.GetPublicKey).toBe(1);
  });

  test.each<[string, LocalKmsKeyOptions, RegExp]>([
    [
      'another curve',
      { keySpec: 'ECC_NIST_P384' },
      /is ECC_NIST_P384 for SIGN_VERIFY; it must be ECC_NIST_P256 for SIGN_VERIFY/,
    ],
    ['secp256k1', { keySpec: 'ECC_SECG_P256K1' }, /is ECC_SECG_P256K1 for SIGN_VERIFY; it must be/],
    ['an RSA key', { keySpec: 'RSA_2048' }, /is RSA_2048 for SIGN_VERIFY; it must be/],
    [
      'an RSA key for encryption',
      { keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' },
      /is RSA_2048 for ENCRYPT_DECRYPT; it must be/,
    ],
    [
      'a symmetric key',
      { keySpec: 'SYMMETRIC_DEFAULT' },
      /must have a key spec that fits the option algorithm .*ECC_NIST_P256.* SIGN_VERIFY/,
    ],
  ])('%s stops the app, and the message has the actual and the required key', async (_, key, message) => {
    const wrong = new LocalKms({ keys: [{ ...key, alias: 'auth' }] });
    const starting = start(KmsJwtModule.forRoot({ keyId: 'alias/auth', client: wrong.client() }));
    await expect(starting).rejects.toMatchObject({
      name: 'KmsKeyError',
      message: expect.stringMatching(message),
    });
  });

  test('a key that does not exist stops the app', async () => {
    await expect(start(KmsJwtModule.forRoot({ ...options, keyId: 'alias/none' }))).rejects.toMatchObject({
      name: 'KmsKeyError',
      message: expect.stringContaining('alias/none'),
    });
  });

  test('the key is fetched at the first use with lazy', async () => {
    localKms.resetCalls();
    const app = await start(KmsJwtModule.forRoot({ ...options, keyId: 'alias/none', lazy: true }));
    expect(localKms.calls.GetPublicKey).toBe(0);
    await expect(app.get(KmsJwtService).sign({})).rejects.toMatchObject({ name: 'KmsKeyError' });
  });

  test.each(['a key id', 'a key ARN', 'an alias ARN'])('keyId may be %s', async (kind) => {
    const { keyId, arn, aliases } = localKms.keys[0] ?? {};
    const named = { 'a key id': keyId, 'a key ARN': arn, 'an alias ARN': aliases?.[0]?.aliasArn }[kind] ?? '';
    const jwt = (await start(KmsJwtModule.forRoot({ ...options, keyId: named }))).get(KmsJwtService);
    expect((await jwt.jwks()).keys[0]?.kid).toBe(keyId);
  });
});

describe('the client', () => {
  test('is not destroyed at shutdown if the app supplied it', async () => {
    const client = localKms.client();
    let destroyed = 0;
    client.destroy = () => void (destroyed += 1);
    await (await start(KmsJwtModule.forRoot({ keyId: 'alias/auth', client }))).close();
    expect(destroyed).toBe(0);
  });

  test('is destroyed at shutdown and after a failed start if the module created it', async () => {
    const { config } = localKms.client();
    let destroyed = 0;
    const counted = {
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      requestHandler: {
        handle: config.requestHandler.handle.bind(config.requestHandler),
        destroy: () => void (destroyed += 1),
      },
    };
    const app = await start(KmsJwtModule.forRoot({ keyId: 'alias/auth', client: counted }));
    expect(destroyed).toBe(0);
    await app.close();
    expect(destroyed).toBe(1);

    await expect(start(KmsJwtModule.forRoot({ keyId: 'alias/none', client: counted }))).rejects.toThrow();
    expect(destroyed).toBeGreaterThanOrEqual(2);
  });

  test('has the Region of the key ARN if none is configured', async () => {
    const elsewhere = new LocalKms({ region: 'eu-central-1', keys: [{ alias: 'auth' }] });
    const server = await elsewhere.listen();
    const client = {
      endpoint: server.url,
      region: undefined,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    };
    const keyId = elsewhere.keys[0]?.arn ?? '';
    const before = process.env['AWS_REGION'];
    delete process.env['AWS_REGION'];
    try {
      const jwt = (await start(KmsJwtModule.forRoot({ keyId, client }))).get(KmsJwtService);
      await expect(jwt.verify(await jwt.sign({}))).resolves.toBeDefined();
    } finally {
      if (before !== undefined) process.env['AWS_REGION'] = before;
      await server.close();
    }
  });
});

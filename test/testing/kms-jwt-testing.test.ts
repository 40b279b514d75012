import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { Controller, Module, Sse, UseGuards } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  getKmsJwtOptionsToken,
  getKmsJwtServiceToken,
  KmsJwtGuard,
  KmsJwtModule,
  KmsJwtService,
  TokenExpiredError,
  TokenNotActiveError,
} from 'nestjs-kms-jwt';
import { createKmsJwtTesting } from 'nestjs-kms-jwt/testing';
import { NEVER } from 'rxjs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

const NOW = new Date('2026-01-01T12:00:00Z');
const SECONDS = NOW.getTime() / 1000;

const appFactory = vi.fn(() => {
  throw new Error('The factory of the app was called');
});

@Controller()
class EventsController {
  @UseGuards(KmsJwtGuard)
  @Sse('events')
  events() {
    return NEVER;
  }
}

@Module({
  imports: [KmsJwtModule.forRootAsync({ useFactory: appFactory, isGlobal: true })],
  controllers: [EventsController],
})
class AppModule {}

async function start({ options = {} }: { options?: object } = {}) {
  const kms = createKmsJwtTesting({ now: NOW });
  const module = await kms.override(Test.createTestingModule({ imports: [AppModule] }), options).compile();
  const app = module.createNestApplication({ logger: false });
  onTestFinished(() => app.close());
  await app.listen(0, '127.0.0.1');
  return { ...kms, app, jwt: app.get(KmsJwtService), url: await app.getUrl() };
}

describe('createKmsJwtTesting', () => {
  test('makes the app sign and verify at the time of the clock', async () => {
    const { jwt, clock } = await start();
    const token = await jwt.sign({ sub: 'user-42' }, { expiresIn: '15m' });
    expect(await jwt.verify(token)).toEqual({ sub: 'user-42', iat: SECONDS, exp: SECONDS + 900 });
    clock.advance(899);
    expect(await jwt.verify(token)).toMatchObject({ sub: 'user-42' });
    clock.advance(1);
    await expect(jwt.verify(token)).rejects.toThrow(TokenExpiredError);
    expect(clock.now()).toBe(NOW.getTime() + 900_000);
  });

  test('ignores options of the app that belong next to useFactory', async () => {
    const options = {
      isGlobal: true,
      name: 'default',
      jwksPath: 'jwks.json',
      signOptions: { issuer: 'app' },
    };
    const { jwt } = await start({ options });
    expect(jwt.decode(await jwt.sign({}))).toMatchObject({ iss: 'app' });
  });

  test('refuses a token until the clock reaches its nbf', async () => {
    const { jwt, clock } = await start();
    const token = await jwt.sign({}, { notBefore: '1h' });
    await expect(jwt.verify(token)).rejects.toThrow(TokenNotActiveError);
    clock.advance('1h');
    expect(await jwt.verify(token)).toMatchObject({ nbf: SECONDS + 3600 });
  });

  test('replaces the options of the app, without calling their factory', async () => {
    const { jwt } = await start({ options: { keyId: 'alias/other', signOptions: { audience: 'orders' } } });
    expect(jwt.decode(await jwt.sign({}))).toMatchObject({ aud: 'orders' });
    expect(appFactory).not.toHaveBeenCalled();
  });

  test('ends a stream when the clock reaches the exp of its token', async () => {
    const { jwt, clock, url } = await start();
    const token = await jwt.sign({}, { expiresIn: '15m' });
    const response = await fetch(`${url}/events`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(200);
    let hasEnded = false;
    const ended = response
      .text()
      .catch(() => '')
      .then(() => (hasEnded = true));
    clock.advance(899);
    expect(hasEnded).toBe(false);
    clock.advance(1);
    expect(await ended).toBe(true);
  });

  test('rotates the key as the clock advances', async () => {
    const { jwt, clock, localKms, options } = await start();
    const [first] = localKms.keys;
    const { CreateKeyCommand } = await import('@aws-sdk/client-kms');
    const { KeyMetadata } = await options.client.send(
      new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    );
    const second = KeyMetadata?.KeyId;
    await options.client.send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: second }));
    clock.advance('10m');
    await expect.poll(() => jwt.health().keys).toEqual([first?.keyId, second]);
    expect(jwt.health().signing).toBe(first?.keyId);
    clock.advance('20m');
    await expect.poll(() => jwt.health().signing).toBe(second);
    const { header } = jwt.decode(await jwt.sign({}), { complete: true });
    expect(header.kid).toBe(second);
  });

  test('supports another algorithm through keySpec', async () => {
    const kms = createKmsJwtTesting({ keySpec: 'ECC_NIST_P384' });
    const module = await Test.createTestingModule({
      imports: [KmsJwtModule.forRoot({ ...kms.options, algorithm: 'ES384' })],
    }).compile();
    onTestFinished(() => module.close());
    await module.init();
    const token = await module.get(KmsJwtService).sign({});
    expect(module.get(KmsJwtService).decode(token, { complete: true }).header.alg).toBe('ES384');
  });

  test('starts the clock at the current time by default', () => {
    const before = Date.now();
    const now = createKmsJwtTesting().clock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
  });

  test.each([[new Date(Number.NaN)], [42], ['2026-01-01']])('refuses now: %j', (now) => {
    expect(() => createKmsJwtTesting({ now: now as Date })).toThrow('now must be a valid Date');
  });

  test.each([0, -1, '15', 'soon', undefined])('refuses advance(%j)', (duration) => {
    expect(() => createKmsJwtTesting().clock.advance(duration as string)).toThrow(
      'advance must be a positive number of whole seconds',
    );
  });
});

const audienceOf = async (jwt: KmsJwtService) => jwt.decode(await jwt.sign({})).aud;

test('getKmsJwtOptionsToken(name) overrides the options of that instance only', async () => {
  const { options } = createKmsJwtTesting();
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({ ...options, signOptions: { audience: 'orders' } }),
      KmsJwtModule.forRootAsync({ name: 'internal', useFactory: appFactory }),
    ],
  })
    .overrideProvider(getKmsJwtOptionsToken('internal'))
    .useValue({ ...options, signOptions: { audience: 'internal' } })
    .compile();
  onTestFinished(() => module.close());
  await module.init();
  expect(await audienceOf(module.get(KmsJwtService))).toBe('orders');
  expect(await audienceOf(module.get(getKmsJwtServiceToken('internal')))).toBe('internal');
});

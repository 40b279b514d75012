import { DisableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  fromAuthHeader,
  fromBody,
  fromCookie,
  fromHeader,
  fromQuery,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  type TokenExtractor,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { printed } from '../security/secrets/printed.js';

const newKms = () => new LocalKms({ keys: [{ alias: 'auth' }] });

async function start(
  options: Partial<KmsJwtModuleOptions>,
  localKms = newKms(),
): Promise<TestingModule & { jwt: KmsJwtService }> {
  const client = localKms.client({ maxAttempts: 1 });
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client, ...options })],
  }).compile();
  onTestFinished(() => module.close());
  await module.init();
  return Object.assign(module, { jwt: module.get(KmsJwtService) });
}

describe('the error for an unknown option suggests the closest one', () => {
  test.each<[string, object, RegExp]>([
    ['a typo', { isGlobl: true }, /^KmsJwt: isGlobl is unknown: did you mean isGlobal\? \(the known/],
    ['an option of @nestjs/jwt', { global: true }, /^KmsJwt: global is unknown: did you mean isGlobal\?/],
    [
      'a typo in a group',
      { limits: { timeOut: 1 } },
      /^KmsJwt: limits\.timeOut is unknown: did you mean timeout\?/,
    ],
    [
      'or lists the known ones',
      { secret: 'hush' },
      /^KmsJwt: secret is unknown: the known options are keyId, .*isGlobal/,
    ],
  ])('%s', async (_, options, message) => {
    await expect(start(options)).rejects.toThrow(message);
  });

  test.each([
    ['isGlobl', 'did you mean isGlobal?'],
    ['useFactor', 'did you mean useFactory?'],
    ['keyId', 'return it from useFactory'],
  ])('for forRootAsync: %s', (option, remedy) => {
    const options = { useFactory: () => ({}), [option]: true };
    expect(() => KmsJwtModule.forRootAsync(options)).toThrow(
      `KmsJwt: ${option} is not an option of forRootAsync: ${remedy}`,
    );
  });
});

/** A factory of another package. */
const fromElsewhere = () => (request: { url: string }) => request.url;

describe('an extractor factory that was not called', () => {
  const FACTORIES: [string, unknown][] = [
    ['fromAuthHeader()', fromAuthHeader],
    ["fromHeader('x-access-token')", fromHeader],
    ["fromCookie('access_token')", fromCookie],
    ["fromQuery('access_token')", fromQuery],
    ["fromBody('access_token')", fromBody],
  ];

  test.each(FACTORIES)('is refused at start, and the error shows the call: %s', async (call, factory) => {
    const [name] = call.split('(');
    const refused = `KmsJwt: guard.tokenFrom contains the function ${name} itself: call it: ${call}`;
    await expect(start({ guard: { tokenFrom: factory as TokenExtractor } })).rejects.toThrow(refused);
    const tokenFrom = [fromAuthHeader(), factory as TokenExtractor];
    await expect(start({ guard: { tokenFrom } })).rejects.toThrow(refused);
  });

  test('of another package causes a 500 and a log line that names the mistake', async () => {
    @Controller()
    class OrdersController {
      @UseGuards(KmsJwtGuard) @Get() read() {
        return {};
      }
    }
    const client = newKms().client({ maxAttempts: 1 });
    const guard = { tokenFrom: fromElsewhere as unknown as TokenExtractor };
    @Module({
      imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client, guard })],
      controllers: [OrdersController],
    })
    class AppModule {}
    const lines: string[] = [];
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    const app = module.createNestApplication({
      logger: { log() {}, warn() {}, error: (line: unknown) => lines.push(String(line)) },
    });
    onTestFinished(() => app.close());
    await app.listen(0, '127.0.0.1');
    expect((await fetch(await app.getUrl())).status).toBe(500);
    expect(lines).toEqual([
      'KmsJwtOptionsError: KmsJwt: guard.tokenFrom contains a function that returns an extractor: call it, as in fromAuthHeader()',
    ]);
  });
});

describe('the error for an unusable key has a remedy', () => {
  test('if the alias has no prefix', async () => {
    await expect(start({ keyId: 'auth' })).rejects.toThrow(
      'KMS refused GetPublicKey with auth (NotFoundException): there is no such key id: the name of an alias has the prefix alias/, as in alias/auth',
    );
  });

  test.each([
    ['alias/none'],
    ['1234abcd-12ab-34cd-56ef-1234567890ab'],
    ['mrk-1234abcd12ab34cd56ef1234567890ab'],
    ['arn:aws:kms:us-east-1:000000000000:alias/none'],
  ])('if %s does not exist', async (keyId) => {
    await expect(start({ keyId })).rejects.toThrow(
      /there is no such key or alias in this account and Region: check keyId and client\.region$/,
    );
  });

  test('if the key is pending deletion', async () => {
    const localKms = newKms();
    const [key] = localKms.keys;
    await localKms.client().send(new ScheduleKeyDeletionCommand({ KeyId: key?.keyId }));
    await expect(start({}, localKms)).rejects.toThrow(
      /KMSInvalidStateException\): the key is pending deletion, .*: use another key, or aws kms cancel-key-deletion and then aws kms enable-key$/,
    );
  });

  test('if the key is disabled', async () => {
    const localKms = newKms();
    await localKms.client().send(new DisableKeyCommand({ KeyId: localKms.keys[0]?.keyId }));
    await expect(start({}, localKms)).rejects.toThrow(/is disabled: enable it with aws kms enable-key$/);
  });
});

describe('a token with its authentication scheme', () => {
  test.each(['Bearer', 'bearer', 'BEARER'])(
    '%s is refused by verify() without being quoted',
    async (scheme) => {
      const { jwt } = await start({});
      const token = await jwt.sign({ sub: 'user-42' });
      const error: unknown = await jwt.verify(`${scheme} ${token}`).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        name: 'TokenMalformedError',
        code: 'token_malformed',
        message: 'The token begins with Bearer: pass it without the authentication scheme',
      });
      for (const part of token.split('.')) expect(printed(error).join('\n')).not.toContain(part);
      expect(() => jwt.decode(`${scheme} ${token}`)).toThrow(/without the authentication scheme$/);
    },
  );
});

import { Controller, Get, UseGuards } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IoAdapter } from '@nestjs/platform-socket.io';
import {
  guardHandshakes,
  handshakeMiddleware,
  KmsJwtGuard,
  KmsJwtModule,
  KmsJwtOptionsError,
  KmsJwtService,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { expect, onTestFinished, test } from 'vitest';

@Controller()
@UseGuards(KmsJwtGuard)
class OrdersController {
  @Get() read() {
    return {};
  }
}

/** Returns a function for every property, as some mocking libraries do. */
const deepMock = (): object =>
  new Proxy(() => {}, { get: (_, property) => (property === 'then' ? undefined : deepMock()) });

function stubInstance(): object {
  const stubs = { sign: async () => 'token', onModuleInit() {}, onApplicationShutdown() {} };
  return Object.assign(Object.create(KmsJwtService.prototype) as object, stubs);
}

const MOCKS: [string, object][] = [
  ['an object with two methods', { sign: async () => 'token', verify: async () => ({}) }],
  ['an instance made without the constructor', stubInstance()],
  ['a deep mock', deepMock()],
];

const SENTENCE = /^KmsJwt: KmsJwtService is a mock, and a KmsJwtGuard needs the real one: .*fakeClaims\(\)/;

test.each(MOCKS)(
  'a guard with %s as KmsJwtService fails with an error that names fakeClaims()',
  async (_, mock) => {
    const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client();
    const module = await Test.createTestingModule({
      imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client })],
      controllers: [OrdersController],
    })
      .overrideProvider(KmsJwtService)
      .useValue(mock)
      .compile();
    const lines: unknown[] = [];
    const app = module.createNestApplication({
      logger: { log() {}, warn() {}, error: (line: unknown) => lines.push(line) },
    });
    onTestFinished(() => app.close());
    await app.listen(0, '127.0.0.1');
    expect((await fetch(await app.getUrl())).status).toBe(500);
    expect(lines.map(String)).toContainEqual(expect.stringContaining('KmsJwtService is a mock'));

    const guard = app.get(KmsJwtGuard);
    const refusal = expect.objectContaining({ message: expect.stringMatching(SENTENCE) });
    await expect(guard.acceptConnection({})).rejects.toEqual(refusal);
    await expect(guard.renewConnection({}, 'token')).rejects.toEqual(refusal);
    await expect(guard.verifyReference({}, {})).rejects.toEqual(refusal);
    expect(() => guardHandshakes(new IoAdapter(app), guard)).toThrow(KmsJwtOptionsError);
    expect(() => handshakeMiddleware(guard)).toThrow(KmsJwtOptionsError);
  },
);

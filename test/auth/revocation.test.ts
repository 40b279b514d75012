import { ConsoleLogger, Controller, Get, Logger, UseGuards } from '@nestjs/common';
import { KmsJwtGuard, type RevocationCheck } from 'nestjs-kms-jwt';
import { expect, onTestFinished, test } from 'vitest';
import { bearer, startApp } from './support.js';

@Controller()
@UseGuards(KmsJwtGuard)
class OrdersController {
  @Get() read() {
    return 'orders';
  }
}

async function statusWith(isRevoked: unknown, claims: object = { sub: 'user-42' }) {
  const { jwt, get } = await startApp({
    controllers: [OrdersController],
    options: { isRevoked: isRevoked as RevocationCheck, limits: { timeout: 50 } },
  });
  const response = await get('/', bearer(await jwt.sign(claims)));
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    body: await response.text(),
  };
}

const ADMITTED = { status: 200, retryAfter: null, body: 'orders' };
const REVOKED = {
  status: 401,
  retryAfter: null,
  body: '{"statusCode":401,"message":"The token has been revoked","error":"Unauthorized","errorCode":"token_revoked"}',
};
const UNAVAILABLE = {
  status: 503,
  retryAfter: '1',
  body: '{"statusCode":503,"message":"Service Unavailable","error":"Service Unavailable","errorCode":"revocation_unavailable"}',
};

const OUTCOMES = {
  'a token is admitted': ADMITTED,
  'a token is refused': REVOKED,
  'the guard answers 503': UNAVAILABLE,
};

test.each<[keyof typeof OUTCOMES, string, () => unknown]>([
  ['a token is admitted', 'returns false', () => false],
  ['a token is admitted', 'resolves to false', async () => false],
  ['a token is refused', 'returns true', () => true],
  ['a token is refused', 'resolves to true', async () => true],
  [
    'the guard answers 503',
    'throws',
    () => {
      throw new Error('redis://user:password@host');
    },
  ],
  ['the guard answers 503', 'rejects', () => Promise.reject(new Error('redis://user:password@host'))],
  ['the guard answers 503', 'rejects with undefined', () => Promise.reject(undefined)],
  ['the guard answers 503', 'never settles', () => new Promise(() => {})],
  ['the guard answers 503', 'returns undefined', () => undefined],
  ['the guard answers 503', 'returns 0', () => 0],
  ['the guard answers 503', "resolves to 'false'", async () => 'false'],
])('%s when isRevoked %s', async (outcome, _, isRevoked) => {
  expect(await statusWith(isRevoked)).toEqual(OUTCOMES[outcome]);
});

test('isRevoked receives the claims and the header', async () => {
  const asked: unknown[] = [];
  const isRevoked: RevocationCheck = (claims, header) => {
    asked.push(claims, header);
    return false;
  };
  await statusWith(isRevoked, { jti: 'a' });
  expect(asked).toEqual([
    { jti: 'a', iat: expect.any(Number) },
    { alg: 'ES256', typ: 'JWT', kid: expect.any(String) },
  ]);
});

test('isRevoked is not called for an invalid token', async () => {
  let asked = false;
  const { status } = await statusWith(() => (asked = true), { exp: 1 });
  expect({ status, asked }).toEqual({ status: 401, asked: false });
});

test('an error of isRevoked is logged by its name and code, without its message, which may contain secrets', async () => {
  const lines: unknown[] = [];
  const { jwt, get } = await startApp({
    controllers: [OrdersController],
    options: {
      isRevoked() {
        throw Object.assign(new TypeError('redis://user:password@host'), { code: 'ECONNREFUSED' });
      },
    },
  });
  class Lines extends ConsoleLogger {
    override error(line: unknown) {
      lines.push(line);
    }
  }
  Logger.overrideLogger(new Lines());
  onTestFinished(() => Logger.overrideLogger(false));
  expect((await get('/', bearer(await jwt.sign({})))).status).toBe(503);
  expect(lines).toEqual([
    expect.stringMatching(/^RevocationUnavailableError: .* \(caused by TypeError ECONNREFUSED\)$/),
  ]);
  expect(String(lines)).not.toContain('password');
});

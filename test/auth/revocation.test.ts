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

test.each([
  ['answers false', () => false, ADMITTED],
  ['resolves to false', async () => false, ADMITTED],
  ['answers true', () => true, REVOKED],
  ['resolves to true', async () => true, REVOKED],
  [
    'throws',
    () => {
      throw new Error('redis://user:password@host');
    },
    UNAVAILABLE,
  ],
  ['rejects', () => Promise.reject(new Error('redis://user:password@host')), UNAVAILABLE],
  ['rejects with nothing', () => Promise.reject(undefined as never), UNAVAILABLE],
  ['never answers', () => new Promise(() => {}), UNAVAILABLE],
  ['answers nothing', () => undefined, UNAVAILABLE],
  ['answers 0', () => 0, UNAVAILABLE],
  ["resolves to 'false'", async () => 'false', UNAVAILABLE],
])('a check that %s', async (_, isRevoked, expected) => {
  expect(await statusWith(isRevoked)).toEqual(expected);
});

test('is asked by claims and header', async () => {
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

test('is not asked for a token that is bad anyway', async () => {
  let asked = false;
  const { status } = await statusWith(() => (asked = true), { exp: 1 });
  expect({ status, asked }).toEqual({ status: 401, asked: false });
});

test('that fails is logged by the name and the code of its error, whose message may quote what it knows', async () => {
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

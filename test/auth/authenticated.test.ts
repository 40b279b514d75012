import { Controller, Get, Injectable, UseGuards } from '@nestjs/common';
import { Claims, KmsJwtGuard, type RouteVerifyOptions } from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { bearer, startApp } from './support.js';

class User {
  readonly name = 'Ada';
}

const schemaWith = (value: unknown): RouteVerifyOptions['schema'] => ({
  '~standard': { version: 1, vendor: 'test', validate: () => ({ value }) },
});

/** The response to a request with a valid token, for which `authenticate` or the schema returns this value. */
async function responseFor(value: unknown, place: 'authenticate' | 'schema') {
  @Injectable()
  class UserGuard extends KmsJwtGuard {
    protected override async authenticate(...args: Parameters<KmsJwtGuard['authenticate']>) {
      return place === 'authenticate' ? (value as never) : super.authenticate(...args);
    }
  }
  @Controller()
  @UseGuards(UserGuard)
  class UsersController {
    @Get() read(@Claims() claims: unknown) {
      return claims;
    }
  }
  const options = place === 'schema' ? { verifyOptions: { schema: schemaWith(value) } } : {};
  const { jwt, get } = await startApp({ controllers: [UsersController], options });
  const response = await get('/', bearer(await jwt.sign({ sub: 'user-42' })));
  return { status: response.status, body: await response.json() };
}

describe.each(['authenticate', 'schema'] as const)('the value that %s returns', (place) => {
  test.each([[null], [undefined], [false]])('%j rejects the token', async (value) => {
    expect(await responseFor(value, place)).toEqual({
      status: 401,
      body: {
        statusCode: 401,
        message: 'The token was rejected by the app',
        error: 'Unauthorized',
        errorCode: 'token_rejected',
      },
    });
  });

  test.each([[true], ['user-42'], [42], [0], [''], [[]], [['user-42']], [new User()], [() => ({})]])(
    '%j is an error of the app: 500',
    async (value) => {
      expect(await responseFor(value, place)).toMatchObject({
        status: 500,
        body: { errorCode: 'options_invalid' },
      });
    },
  );

  test.each([[{}], [{ name: 'Ada' }], [Object.assign(Object.create(null) as object, { name: 'Ada' })]])(
    '%j becomes the claims of the request',
    async (value) => {
      expect(await responseFor(value, place)).toEqual({ status: 200, body: value });
    },
  );
});

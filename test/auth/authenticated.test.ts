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

/** Responds to one request with a valid token, whatever authenticate, or the schema, makes of it. */
async function respond(value: unknown, place: 'authenticate' | 'schema') {
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

describe.each(['authenticate', 'schema'] as const)('claims from %s', (place) => {
  test.each([[null], [undefined], [false]])('of %j are a token that the app rejects', async (value) => {
    expect(await respond(value, place)).toEqual({
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
    'of %j are a mistake in the program',
    async (value) => {
      expect(await respond(value, place)).toMatchObject({
        status: 500,
        body: { errorCode: 'options_invalid' },
      });
    },
  );

  test.each([[{}], [{ name: 'Ada' }], [Object.assign(Object.create(null) as object, { name: 'Ada' })]])(
    'of %j are the claims of the call',
    async (value) => {
      expect(await respond(value, place)).toEqual({ status: 200, body: value });
    },
  );
});

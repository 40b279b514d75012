import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  Controller,
  ForbiddenException,
  Get,
  HttpException,
  Inject,
  InternalServerErrorException,
  Param,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import {
  InsufficientScopeError,
  KmsJwtError,
  KmsJwtExceptionFilter,
  KmsJwtOptionsError,
  KmsUnavailableError,
  OriginNotAllowedError,
  toHttpException,
  TokenAmbiguousError,
  TokenMissingError,
} from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { ADAPTERS } from './kms-jwt.guard.support.js';
import { startApp } from './support.js';

const ERRORS: Record<string, () => Error> = {
  missing: () => new TokenMissingError(),
  scope: () => new InsufficientScopeError(['orders:read']),
  unavailable: () => new KmsUnavailableError('timeout', 'KMS did not answer'),
  options: () => new KmsJwtOptionsError('keyId', 'is missing'),
  foreign: () => new HttpException('I am a teapot', 418),
};

@Controller()
class ErrorsController {
  @Get(':name') fail(@Param('name') name: string) {
    throw ERRORS[name]?.() ?? new Error('It has no such error');
  }
}

/** As in the documentation. */
@Catch()
class CatchAllFilter extends BaseExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {
    super(host.httpAdapter);
  }

  override catch(error: unknown, host: ArgumentsHost): void {
    if (!(error instanceof KmsJwtError)) return super.catch(error, host);
    const { httpAdapter } = this.host;
    const exception = toHttpException(error);
    const response: unknown = host.switchToHttp().getResponse();
    for (const [name, value] of Object.entries(exception.headers))
      httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
  }
}

/** Answers every error with 418: the filter of the library did not answer it. */
@Catch()
class TeapotFilter extends CatchAllFilter {
  override catch(_error: unknown, host: ArgumentsHost): void {
    super.catch(new HttpException('I am a teapot', 418), host);
  }
}

const catchAll = { provide: APP_FILTER, useClass: CatchAllFilter };
const teapot = { provide: APP_FILTER, useClass: TeapotFilter };
const ours = { provide: APP_FILTER, useClass: KmsJwtExceptionFilter };

describe.each(Object.entries(ADAPTERS))('on %s', (_, newAdapter) => {
  const answersOf = async (providers: object[]) => {
    const { get } = await startApp({
      controllers: [ErrorsController],
      providers: providers as [],
      adapter: newAdapter() as never,
    });
    return async (name: string) => {
      const response = await get(`/${name}`);
      const header = (one: string) => response.headers.get(one);
      return [response.status, header('www-authenticate'), header('retry-after'), await response.json()];
    };
  };

  test.each(Object.keys(ERRORS))(
    'a filter with toHttpException answers as the filter of the library does: %s',
    async (name) => {
      const expected = await answersOf([ours]);
      const actual = await answersOf([catchAll]);
      expect(await actual(name)).toEqual(await expected(name));
    },
  );

  test('of two filters, the one registered last runs first', async () => {
    const inOrder = await answersOf([teapot, ours]);
    expect(await inOrder('unavailable')).toMatchObject([503, null, '1', { errorCode: 'kms_unavailable' }]);
    expect((await inOrder('foreign'))[0]).toBe(418);
    const reversed = await answersOf([ours, teapot]);
    expect((await reversed('unavailable'))[0]).toBe(418);
  });

  test('a filter of useGlobalFilters runs before every APP_FILTER', async () => {
    const { get } = await startApp({
      controllers: [ErrorsController],
      providers: [ours],
      adapter: newAdapter() as never,
      prepare: (app) => app.useGlobalFilters(new TeapotFilter(app.get(HttpAdapterHost))),
    });
    expect((await get('/unavailable')).status).toBe(418);
  });
});

test('the exception has the status, the headers, the code and the cause', () => {
  const error = new TokenMissingError();
  const exception = toHttpException(error);
  expect(exception).toBeInstanceOf(HttpException);
  expect(exception).toMatchObject({
    headers: { 'WWW-Authenticate': 'Bearer' },
    cause: error,
  });
  expect(exception.getStatus()).toBe(401);
  // Nest 12 also has the code as a property.
  expect(exception.getResponse()).toMatchObject({ errorCode: 'token_missing' });
});

test.each<[KmsJwtError, HttpException]>([
  [new TokenAmbiguousError(), new BadRequestException('The request carries more than one bearer token')],
  [new TokenMissingError(), new UnauthorizedException('The request carries no bearer token')],
  [new OriginNotAllowedError(), new ForbiddenException('The origin of the connection is not allowed')],
  [new KmsJwtOptionsError('keyId', 'is missing'), new InternalServerErrorException('Internal Server Error')],
  [
    new KmsUnavailableError('timeout', 'KMS did not answer'),
    new ServiceUnavailableException('Service Unavailable'),
  ],
])('the body for %s is that of the Nest exception, plus the code', (error, ofNest) => {
  const { errorCode, ...body } = toHttpException(error).getResponse() as Record<string, unknown>;
  expect(body).toEqual(ofNest.getResponse());
  expect(errorCode).toBe(error.code);
});

import {
  Body,
  Controller,
  Get,
  type INestApplication,
  Inject,
  Module,
  Post,
  Req,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { type AbstractHttpAdapter, APP_FILTER } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  Claims,
  InjectKmsJwt,
  type JwtClaims,
  KmsJwtExceptionFilter,
  KmsJwtGuard,
  KmsJwtModule,
  KmsJwtService,
  Public,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach } from 'vitest';

@Controller('guarded')
@UseGuards(KmsJwtGuard)
export class GuardedController {
  @Get('claims') claims(@Claims() claims: JwtClaims) {
    return claims;
  }
  @Get('sub') sub(@Claims('sub') sub: string) {
    return { sub };
  }
  @Get('user') user(@Req() request: { user: JwtClaims }) {
    return request.user;
  }
  @Public() @Get('public') open(@Claims() claims?: JwtClaims) {
    return { claims: claims ?? null };
  }
}

@Controller('open')
export class OpenController {
  constructor(@Inject(KmsJwtService) private readonly jwt: KmsJwtService) {}
  @Post('login') login(@Body() claims: object) {
    return this.jwt.sign(claims);
  }
  @Post('verify') verify(@Body() body: { token: string }) {
    return this.jwt.verify(body.token);
  }
}

@Controller('internal')
export class InternalController {
  constructor(@InjectKmsJwt('internal') private readonly jwt: KmsJwtService) {}
  @Get('token') token() {
    return this.jwt.sign({ sub: 'service' });
  }
  @UseGuards(KmsJwtGuard.named('internal')) @Get('guarded') guarded(@Claims('sub') sub: string) {
    return { sub };
  }
}

export const ADAPTERS = { Express: () => new ExpressAdapter(), Fastify: () => new FastifyAdapter() };

/** For use in a describe block: each of its tests has its own KMS, and may start an app with it. */
export function appsOn(newAdapter: () => AbstractHttpAdapter) {
  const current: { localKms: LocalKms; app?: INestApplication; url: string } = {
    localKms: new LocalKms(),
    url: '',
  };
  beforeEach(() => {
    current.localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'internal' }] });
  });
  afterEach(() => current.app?.close());

  async function start(controllers: Type[], { lazy = false, providers = [] as object[] } = {}) {
    const client = current.localKms.client({ maxAttempts: 1 });
    @Module({
      imports: [
        KmsJwtModule.forRoot({
          keyId: 'alias/auth',
          client,
          lazy,
          limits: { timeout: 200 },
          verifyOptions: { audience: 'orders' },
        }),
        KmsJwtModule.forRoot({ name: 'internal', keyId: 'alias/internal', client, lazy }),
      ],
      controllers,
      providers: [{ provide: APP_FILTER, useClass: KmsJwtExceptionFilter }, ...(providers as [])],
    })
    class AppModule {}
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    current.app = module.createNestApplication(newAdapter() as never, { logger: false });
    await current.app.listen(0, '127.0.0.1');
    current.url = await current.app.getUrl();
  }

  const get = (path: string, authorization?: string) =>
    fetch(current.url + path, { headers: authorization === undefined ? {} : { authorization } });
  const post = (path: string, body: object) =>
    fetch(current.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const login = async (claims: object = { sub: 'user-42', aud: 'orders' }) =>
    (await post('/open/login', claims)).text();

  return { current, start, get, post, login };
}

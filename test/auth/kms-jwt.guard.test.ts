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
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import {
  Claims,
  getKmsJwtToken,
  InjectKmsJwt,
  type JwtClaims,
  KmsJwtExceptionFilter,
  KmsJwtGuard,
  KmsJwtModule,
  KmsJwtService,
  Public,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forge, newKeyPair } from '../support/forge.js';

@Controller('guarded')
@UseGuards(KmsJwtGuard)
class GuardedController {
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
class OpenController {
  constructor(@Inject(KmsJwtService) private readonly jwt: KmsJwtService) {}
  @Post('login') login(@Body() claims: object) {
    return this.jwt.sign(claims);
  }
  @Post('verify') verify(@Body() body: { token: string }) {
    return this.jwt.verify(body.token);
  }
}

@Public()
@Controller('class')
class PublicController {
  @Get('public') open() {
    return 'open';
  }
  @Public(false) @Get('closed') closed() {
    return 'closed';
  }
}

@Public()
@Controller('nearest')
class NearestController {
  @UseGuards(KmsJwtGuard.named('internal')) @Get('internal') internal(@Claims('sub') sub: string) {
    return { sub };
  }
  @Public() @UseGuards(KmsJwtGuard.named('internal')) @Get('beside') beside() {
    return 'beside';
  }
  @UseGuards(KmsJwtGuard) @Get('method') method() {
    return 'method';
  }
  @Get('open') open() {
    return 'open';
  }
}

@Controller('internal')
class InternalController {
  constructor(@InjectKmsJwt('internal') private readonly jwt: KmsJwtService) {}
  @Get('token') token() {
    return this.jwt.sign({ sub: 'service' });
  }
  @UseGuards(KmsJwtGuard.named('internal')) @Get('guarded') guarded(@Claims('sub') sub: string) {
    return { sub };
  }
}

const adapters = { Express: () => new ExpressAdapter(), Fastify: () => new FastifyAdapter() };

describe.each(Object.entries(adapters))('on %s', (_, newAdapter) => {
  let localKms: LocalKms;
  let app: INestApplication | undefined;
  let url: string;

  async function start(controllers: Type[], { lazy = false, providers = [] as object[] } = {}) {
    const client = localKms.client({ maxAttempts: 1 });
    @Module({
      imports: [
        KmsJwtModule.forRoot({
          keyId: 'alias/auth',
          client,
          lazy,
          timeout: 200,
          verifyOptions: { audience: 'orders' },
        }),
        KmsJwtModule.forRoot({ name: 'internal', keyId: 'alias/internal', client, lazy }),
      ],
      controllers,
      providers: [{ provide: APP_FILTER, useClass: KmsJwtExceptionFilter }, ...(providers as [])],
    })
    class AppModule {}
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication(newAdapter() as never, { logger: false });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  }

  const get = (path: string, authorization?: string) =>
    fetch(url + path, { headers: authorization === undefined ? {} : { authorization } });
  const post = (path: string, body: object) =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const login = async (claims: object = { sub: 'user-42', aud: 'orders' }) =>
    (await post('/open/login', claims)).text();

  beforeEach(() => {
    localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'internal' }] });
  });
  afterEach(() => app?.close());

  describe('a guarded route', () => {
    beforeEach(() => start([GuardedController, OpenController]));

    test('gives the claims to @Claims(), one of them to @Claims(name), and all to request.user', async () => {
      const bearer = `Bearer ${await login()}`;
      const claims = { sub: 'user-42', aud: 'orders', iat: expect.any(Number) };
      const [all, one, user] = await Promise.all(
        ['claims', 'sub', 'user'].map((path) => get(`/guarded/${path}`, bearer)),
      );
      expect(await all?.json()).toEqual(claims);
      expect(await one?.json()).toEqual({ sub: 'user-42' });
      expect(await user?.json()).toEqual(claims);
    });

    test.each(['bearer', 'BEARER', 'Bearer  '])(
      'takes the scheme as %j (RFC 9110, section 11.1)',
      async (scheme) => {
        expect((await get('/guarded/claims', `${scheme} ${await login()}`)).status).toBe(200);
      },
    );

    test.each([
      ['no header', undefined],
      ['an empty header', ''],
      ['another scheme', 'Basic dXNlcjpwYXNz'],
      ['the scheme alone', 'Bearer'],
      ['the scheme and white space', 'Bearer   '],
      ['a scheme that only begins so', 'Bearerx abc'],
    ])('answers %s with 401 and the bare challenge (RFC 6750, section 3)', async (__, authorization) => {
      const response = await get('/guarded/claims', authorization);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toEqual({
        statusCode: 401,
        message: 'The request carries no bearer token',
        errorCode: 'token_missing',
      });
    });

    test.each<[string, string, () => string | Promise<string>]>([
      ['malformed', 'token_malformed', () => 'not-a-token'],
      ['of two words', 'token_malformed', async () => `${await login()} more`],
      [
        'of an unknown key',
        'token_key_unknown',
        () => forge({ alg: 'ES256', kid: 'x' }, {}, newKeyPair().privateKey),
      ],
      [
        'changed',
        'token_signature_invalid',
        async () => {
          const [header, , signature] = (await login()).split('.');
          const payload = Buffer.from('{"sub":"admin","aud":"orders"}').toString('base64url');
          return `${header}.${payload}.${signature}`;
        },
      ],
      ['expired', 'token_expired', () => login({ aud: 'orders', exp: 1 })],
      ['not active yet', 'token_not_active', () => login({ aud: 'orders', nbf: 9_999_999_999 })],
      ['for another audience', 'token_claim_invalid', () => login({ aud: 'bills' })],
    ])('answers a token that is %s with 401 and invalid_token', async (__, errorCode, token) => {
      const response = await get('/guarded/claims', `Bearer ${await token()}`);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(
        /^Bearer error="invalid_token", error_description="[^"]+"$/,
      );
      expect(await response.json()).toEqual({ statusCode: 401, message: expect.any(String), errorCode });
    });

    test('lets @Public() pass, with a bad token too, and without claims', async () => {
      for (const authorization of [undefined, 'Bearer nonsense', `Bearer ${await login()}`]) {
        const response = await get('/guarded/public', authorization);
        expect(await response.json()).toEqual({ claims: null });
      }
    });
  });

  describe('as APP_GUARD', () => {
    beforeEach(() =>
      start([PublicController, InternalController], {
        providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
      }),
    );

    test('closes every route but the public ones; a route says more than its controller', async () => {
      expect((await get('/class/public')).status).toBe(200);
      expect((await get('/class/closed')).status).toBe(401);
      expect((await get('/internal/token')).status).toBe(401);
    });
  });

  describe('of several guards the nearest decides, and @Public() opens none beside it', () => {
    const tokens: Record<string, string> = {};
    beforeEach(async () => {
      await start([NearestController, InternalController, OpenController], {
        providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
      });
      const jwt = app?.get<KmsJwtService>(getKmsJwtToken('internal'), { strict: false });
      const outer = app?.get(KmsJwtService, { strict: false });
      tokens['internal'] = (await jwt?.sign({ sub: 'service' })) ?? '';
      tokens['outer'] = (await outer?.sign({ sub: 'user-42', aud: 'orders' })) ?? '';
      tokens['bad'] = 'nonsense';
    });

    test.each([
      ['internal', { internal: 200, outer: 401, bad: 401, none: 401 }],
      ['beside', { internal: 200, outer: 401, bad: 401, none: 401 }],
      ['method', { internal: 401, outer: 200, bad: 401, none: 401 }],
      ['open', { internal: 200, outer: 200, bad: 200, none: 200 }],
    ])('/nearest/%s', async (path, statuses) => {
      for (const [name, status] of Object.entries(statuses)) {
        const token = tokens[name];
        const response = await get(`/nearest/${path}`, token && `Bearer ${token}`);
        expect([name, response.status]).toEqual([name, status]);
      }
    });
  });

  test('KmsJwtGuard.named guards by the named instance', async () => {
    await start([InternalController, OpenController]);
    const token = await (await get('/internal/token')).text();
    expect(await (await get('/internal/guarded', `Bearer ${token}`)).json()).toEqual({ sub: 'service' });
    const other = await get('/internal/guarded', `Bearer ${await login()}`);
    expect(await other.json()).toMatchObject({ statusCode: 401, errorCode: 'token_key_unknown' });
  });

  describe('while KMS is away', () => {
    const outage = { statusCode: 503, message: 'Service Unavailable', errorCode: 'kms_unavailable' };

    test.each(['throttle', 'drop', 'html', 'hang'] as const)(
      'the first use of a lazy key answers 503 with Retry-After, not 401 (%s), and a token is judged again once there is a key',
      async (kind) => {
        await start([GuardedController, OpenController], { lazy: true });
        const token = forge({ alg: 'ES256', kid: 'x' }, {}, newKeyPair().privateKey);
        localKms.inject({ kind, operation: 'GetPublicKey', times: 1 });
        const response = await get('/guarded/claims', `Bearer ${token}`);
        expect(response.status).toBe(503);
        expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
        expect(response.headers.get('www-authenticate')).toBeNull();
        expect(await response.json()).toEqual(outage);

        await login();
        expect((await get('/guarded/claims', `Bearer ${token}`)).status).toBe(401);
      },
    );

    test('a handler that signs answers 503 through the filter, and verification goes on', async () => {
      await start([GuardedController, OpenController]);
      const token = await login();
      localKms.inject({ kind: 'throttle' });
      const response = await post('/open/login', {});
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(await response.json()).toEqual(outage);
      expect((await get('/guarded/claims', `Bearer ${token}`)).status).toBe(200);
    });

    test('a missing permission is an outage to clients, and tells them nothing of AWS', async () => {
      await start([OpenController]);
      localKms.inject({
        kind: 'error',
        name: 'AccessDeniedException',
        message: 'arn:aws:iam::123456789012:role/x',
      });
      const response = await post('/open/login', {});
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ ...outage, errorCode: 'kms_access_denied' });
    });
  });

  test('the filter answers what a handler lets pass: 401 for a bad token, 500 for a wrong program', async () => {
    await start([OpenController]);
    const bad = await post('/open/verify', { token: 'nonsense' });
    expect(bad.status).toBe(401);
    expect(bad.headers.get('www-authenticate')).toContain('invalid_token');

    const wrong = await post('/open/login', { exp: 'soon' });
    expect(wrong.status).toBe(500);
    expect(await wrong.json()).toEqual({
      statusCode: 500,
      message: 'Internal Server Error',
      errorCode: 'options_invalid',
    });
  });
});

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fastifyCookie from '@fastify/cookie';
import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import cookieParser from 'cookie-parser';
import {
  Claims,
  fromAuthHeader,
  fromBody,
  fromCookie,
  fromHeader,
  fromQuery,
  KmsJwtGuard,
  TokenAmbiguousError,
  type TokenCarrier,
  type TokenExtractor,
} from 'nestjs-kms-jwt';
import { ExtractJwt } from 'passport-jwt';
import { describe, expect, test } from 'vitest';
import { bearer, startApp } from './support.js';

const request = (parts: Partial<TokenCarrier>): TokenCarrier => ({ headers: {}, ...parts });

interface Example {
  name: string;
  extract: TokenExtractor;
  present: Partial<TokenCarrier>[];
  absent: Partial<TokenCarrier>[];
  repeated: Partial<TokenCarrier>[];
}

const EXAMPLES: Example[] = [
  {
    name: 'fromAuthHeader()',
    extract: fromAuthHeader(),
    present: ['Bearer abc', 'bearer abc', 'BEARER abc', 'Bearer   abc'].map((authorization) => ({
      headers: { authorization },
    })),
    absent: [
      {},
      ...['', 'Bearer', 'Bearer  ', 'Basic abc', 'Bearerabc'].map((authorization) => ({
        headers: { authorization },
      })),
    ],
    repeated: [{ headers: { authorization: ['Bearer abc', 'Bearer abc'] } }],
  },
  {
    name: "fromHeader('X-Access-Token')",
    extract: fromHeader('X-Access-Token'),
    present: [{ headers: { 'x-access-token': 'abc' } }, { headers: { 'x-access-token': ['abc'] } }],
    absent: [{}, { headers: { 'x-access-token': '' } }, { headers: { authorization: 'Bearer abc' } }],
    repeated: [{ headers: { 'x-access-token': ['abc', 'def'] } }],
  },
  {
    name: "fromCookie('token')",
    extract: fromCookie('token'),
    present: [
      { headers: { cookie: 'token=abc' } },
      { headers: { cookie: 'theme=dark; token=abc; tokens=def' } },
      { headers: {}, cookies: { token: 'abc' } },
      { headers: { cookie: 'token=abc' }, cookies: { token: 'abc' } },
    ],
    absent: [
      {},
      { headers: { cookie: 'theme=dark' } },
      { headers: { cookie: 'token=' } },
      { cookies: null },
      { cookies: {} },
      { cookies: { token: '' } },
      { cookies: { token: { nested: 'abc' } } },
    ],
    repeated: [
      { headers: { cookie: 'token=abc; token=def' } },
      { headers: { cookie: ['token=abc', 'token=def'] } },
      { headers: { cookie: 'token=abc; token=def' }, cookies: { token: 'abc' } },
    ],
  },
  {
    name: "fromQuery('token')",
    extract: fromQuery('token'),
    present: [{ query: { token: 'abc' } }, { query: Object.assign(Object.create(null), { token: 'abc' }) }],
    absent: [{}, { query: {} }, { query: { token: '' } }, { query: { token: { nested: 'abc' } } }],
    repeated: [{ query: { token: ['abc', 'def'] } }],
  },
  {
    name: "fromBody('token')",
    extract: fromBody('token'),
    present: [{ body: { token: 'abc' } }],
    absent: [
      {},
      { body: null },
      { body: 'token' },
      { body: { token: 42 } },
      { body: Object.create({ token: 'abc' }) },
    ],
    repeated: [{ body: { token: ['abc', 'def'] } }],
  },
];

describe.each(EXAMPLES)('$name', ({ extract, present, absent, repeated }) => {
  test.each(present)('finds the token in %j', (parts) => {
    expect(extract(request(parts))).toBe('abc');
  });
  test.each(absent)('finds no token in %j', (parts) => {
    expect(extract(request(parts))).toBeUndefined();
  });
  test.each(repeated)('refuses the two tokens in %j', (parts) => {
    expect(() => extract(request(parts))).toThrow(TokenAmbiguousError);
  });
});

@Controller()
@UseGuards(KmsJwtGuard)
class SubjectController {
  @Get() read(@Claims('sub') sub: string) {
    return { sub };
  }
  @Post() write(@Claims('sub') sub: string) {
    return { sub };
  }
}

const controllers = [SubjectController];

describe('a request', () => {
  test.each([
    { name: 'Express', adapter: () => new ExpressAdapter(), parse: undefined },
    {
      name: 'Express with cookie-parser',
      adapter: () => new ExpressAdapter(),
      parse: (app: object) => (app as NestFastifyApplication).use(cookieParser()),
    },
    { name: 'Fastify', adapter: () => new FastifyAdapter(), parse: undefined },
    {
      name: 'Fastify with @fastify/cookie',
      adapter: () => new FastifyAdapter(),
      parse: (app: object) => (app as NestFastifyApplication).register(fastifyCookie as never),
    },
  ])('may have its token in a cookie: $name', async ({ adapter, parse }) => {
    const { jwt, get } = await startApp({
      controllers,
      adapter: adapter(),
      options: { guard: { tokenFrom: fromCookie('access_token') } },
      ...(parse && { prepare: parse }),
    });
    const token = await jwt.sign({ sub: 'user-42' });
    const good = await get('/', { cookie: `theme=dark; access_token=${token}` });
    expect(await good.json()).toEqual({ sub: 'user-42' });
    expect((await get('/', { cookie: 'theme=dark' })).status).toBe(401);
    expect((await get('/', { cookie: `access_token=${token}; access_token=${token}` })).status).toBe(400);
  });

  test.each<[string, TokenExtractor, (token: string) => [path: string, init: RequestInit]]>([
    [
      'fromAuthHeaderAsBearerToken()',
      ExtractJwt.fromAuthHeaderAsBearerToken(),
      (token) => ['/', { headers: bearer(token) }],
    ],
    [
      "fromAuthHeaderWithScheme('JWT')",
      ExtractJwt.fromAuthHeaderWithScheme('JWT'),
      (token) => ['/', { headers: { authorization: `JWT ${token}` } }],
    ],
    [
      "fromHeader('x-token')",
      ExtractJwt.fromHeader('x-token'),
      (token) => ['/', { headers: { 'x-token': token } }],
    ],
    [
      "fromUrlQueryParameter('token')",
      ExtractJwt.fromUrlQueryParameter('token'),
      (token) => [`/?token=${token}`, {}],
    ],
    [
      "fromBodyField('token')",
      ExtractJwt.fromBodyField('token'),
      (token) => ['/', { method: 'POST', body: new URLSearchParams({ token }) }],
    ],
    [
      'fromExtractors([…])',
      ExtractJwt.fromExtractors([
        ExtractJwt.fromHeader('x-token'),
        ExtractJwt.fromUrlQueryParameter('token'),
      ]),
      (token) => [`/?token=${token}`, {}],
    ],
  ])('may have its token where passport-jwt’s %s finds it', async (_, tokenFrom, requestWith) => {
    const { jwt, url } = await startApp({ controllers, options: { guard: { tokenFrom } } });
    const [path, init] = requestWith(await jwt.sign({ sub: 'user-42' }));
    expect(await (await fetch(url + path, init)).json()).toEqual({ sub: 'user-42' });
    const without = await fetch(`${url}/`);
    expect(await without.json()).toMatchObject({ errorCode: 'token_missing' });
  });

  test('may have its token in one place or the other, but not in both (RFC 6750, section 2)', async () => {
    const { jwt, get } = await startApp({
      controllers,
      options: { guard: { tokenFrom: [fromAuthHeader(), fromQuery('access_token')] } },
    });
    const token = await jwt.sign({ sub: 'user-42' });
    expect((await get('/', bearer(token))).status).toBe(200);
    expect((await get(`/?access_token=${token}`)).status).toBe(200);

    const both = await get(`/?access_token=${token}`, bearer(token));
    expect(both.status).toBe(400);
    expect(both.headers.get('www-authenticate')).toBe(
      'Bearer error="invalid_request", error_description="The request carries more than one bearer token"',
    );
    expect(await both.json()).toEqual({
      statusCode: 400,
      message: 'The request carries more than one bearer token',
      error: 'Bad Request',
      errorCode: 'token_ambiguous',
    });
  });

  test.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ])('with two Authorization headers, of which Node.js keeps one, is refused: %s', async (_, newAdapter) => {
    const { jwt, url } = await startApp({ controllers, adapter: newAdapter() });
    const line = `Authorization: Bearer ${await jwt.sign({ sub: 'user-42' })}`;
    const answerTo = (...lines: string[]) => {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname);
      socket.write(['GET / HTTP/1.1', 'Host: app', 'Connection: close', ...lines, '', ''].join('\r\n'));
      return text(socket);
    };
    expect(await answerTo(line)).toMatch(/^HTTP\/1.1 200 [^]*"user-42"/);
    const another = `authorization: Bearer ${await jwt.sign({ sub: 'administrator' })}`;
    expect(await answerTo(line, another)).toMatch(/^HTTP\/1.1 400 [^]*"token_ambiguous"/);
  });

  test.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ])('with deeply nested arrays in its body carries no token: %s', async (_, newAdapter) => {
    const { url } = await startApp({
      controllers,
      adapter: newAdapter(),
      options: { guard: { tokenFrom: [fromBody('access_token'), ExtractJwt.fromBodyField('access_token')] } },
    });
    const depth = 40_000;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"access_token":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    });
    expect(response.status).toBe(401);
  });
});

import { Body, Controller, type ExecutionContext, Inject, Post } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  fromAuthHeader,
  fromBody,
  type JwtClaims,
  type KmsJwtError,
  KmsJwtExceptionFilter,
  KmsJwtGuard,
  type KmsJwtModuleOptions,
  KmsJwtService,
  Public,
  Scopes,
  type VerifyOptions,
} from 'nestjs-kms-jwt';
import { bearer, startApp, type TestApp } from '../../auth/support.js';
import { OutputRecorder } from './output-recorder.js';

export interface RecordedApp extends TestApp {
  recorder: OutputRecorder;
  /** Calls a protected route, and records the answer if it is a refusal. */
  call: (token: string, options?: CallOptions) => Promise<number>;
  /** Calls the login route, which signs the given claims, and records a refusal. */
  login: (claims: object) => Promise<number>;
  /** Records and returns the thrown value. */
  thrownBy: (run: () => unknown) => Promise<unknown>;
}

export interface CallOptions {
  path?: string;
  /** The place of the token. Default: the header. */
  in?: 'header' | 'body';
  /** Options of the guard that override those of the module. */
  verify?: VerifyOptions;
}

const BODY_LIMIT = 16 * 1024 * 1024;

/** An app whose refusals, log lines and thrown values are recorded. */
export async function startRecordedApp(options: Partial<KmsJwtModuleOptions>): Promise<RecordedApp> {
  const recorder = new OutputRecorder();
  let asked: VerifyOptions | undefined;

  @Controller()
  class AppController {
    constructor(@Inject(KmsJwtService) private readonly jwt: KmsJwtService) {}
    @Public() @Post('login') login(@Body() claims: object) {
      return this.jwt.sign(claims);
    }
    @Post('orders') order() {
      return 'ordered';
    }
    @Scopes('orders:write') @Post('scoped') scoped() {
      return 'ordered';
    }
  }

  class Guard extends KmsJwtGuard {
    protected override authenticate(token: string) {
      return this.jwt.verify(token, asked) as Promise<JwtClaims>;
    }
    protected override async handleError(error: KmsJwtError, context: ExecutionContext) {
      const thrown = await super.handleError(error, context);
      recorder.record(thrown);
      return thrown;
    }
  }

  const { stream, logger } = recorder;
  const adapter = new FastifyAdapter({ bodyLimit: BODY_LIMIT, logger: { level: 'trace', stream } });
  const app = await startApp({
    controllers: [AppController],
    providers: [
      { provide: APP_GUARD, useClass: Guard },
      { provide: APP_FILTER, useClass: KmsJwtExceptionFilter },
    ],
    adapter,
    logger,
    options: { guard: { tokenFrom: [fromAuthHeader(), fromBody('token')] }, ...options },
  });

  const post = async (path: string, body: object, headers = {}) => {
    const response = await fetch(app.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    if (response.ok) await response.text();
    else await recorder.recordResponse(response);
    return response.status;
  };
  return {
    ...app,
    recorder,
    call(token, { path = '/orders', in: place = 'header', verify } = {}) {
      asked = verify;
      return place === 'body' ? post(path, { token }) : post(path, {}, bearer(token));
    },
    login: (claims) => post('/login', claims),
    async thrownBy(run) {
      try {
        await run();
      } catch (error) {
        recorder.record(error);
        // Fastify's logger is pino.
        adapter.getInstance().log.error(error);
        return error;
      }
      return undefined;
    },
  };
}

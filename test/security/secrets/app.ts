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
import { Eavesdropper } from './eavesdropper.js';

export interface OverheardApp extends TestApp {
  eavesdropper: Eavesdropper;
  /** Calls a protected route, and hears what it answers if that is a refusal. */
  call: (token: string, options?: CallOptions) => Promise<number>;
  /** The same with the login, which signs what it is given. */
  login: (claims: object) => Promise<number>;
  /** Hears what is thrown, and says what it is. */
  thrownBy: (run: () => unknown) => Promise<unknown>;
}

export interface CallOptions {
  path?: string;
  /** Where the token is put. Default: the header. */
  in?: 'header' | 'body';
  /** What the guard asks of the token, over what the module asks. */
  verify?: VerifyOptions;
}

const BODY_LIMIT = 16 * 1024 * 1024;

/** An app with everything that it says heard: answers that refuse, log lines, and whatever is thrown. */
export async function startOverheardApp(options: Partial<KmsJwtModuleOptions>): Promise<OverheardApp> {
  const eavesdropper = new Eavesdropper();
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
      eavesdropper.hear(thrown);
      return thrown;
    }
  }

  const { stream, logger } = eavesdropper;
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
    else await eavesdropper.hearAnswer(response);
    return response.status;
  };
  return {
    ...app,
    eavesdropper,
    call(token, { path = '/orders', in: place = 'header', verify } = {}) {
      asked = verify;
      return place === 'body' ? post(path, { token }) : post(path, {}, bearer(token));
    },
    login: (claims) => post('/login', claims),
    async thrownBy(run) {
      try {
        await run();
      } catch (error) {
        eavesdropper.hear(error);
        // Fastify's logger is pino.
        adapter.getInstance().log.error(error);
        return error;
      }
      return undefined;
    },
  };
}

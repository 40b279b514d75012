import { Agent } from 'node:http';
import { Controller, Get, Param } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Claims, type JwtClaims, KmsJwtGuard, OptionalAuth, Public, Scopes } from 'nestjs-kms-jwt';
import { PLATFORMS } from '../../../transports/http.js';
import { InternalGuard, startApp } from '../apps.js';
import { ROUTES } from '../calls.js';
import { ledger } from '../ledger.js';
import { random } from '../run.js';
import { SCOPE } from '../tokens.js';
import {
  type Connection,
  headersOf,
  isRefusal,
  pickTokens,
  tokensFor,
  type TransportUnderLoad,
} from '../transport.js';
import { type Answer, answer, observeAnswer, SlowPipe, Witnessed } from '../witnesses.js';
import { request } from './request.js';

@Controller()
class CallsController {
  @Witnessed() @Get('mine/:call') mine(
    @Param('call') call: string,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Scopes(SCOPE) @Witnessed() @Get('scoped/:call') scoped(
    @Param('call') call: string,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Public() @Witnessed() @Get('open/:call') open(
    @Param('call') call: string,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @OptionalAuth() @Witnessed() @Get('optional/:call') optional(
    @Param('call') call: string,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @Witnessed(InternalGuard) @Get('internal/:call') internal(
    @Param('call') call: string,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
}

/** The number of sequential requests of a client: HTTP/1.1 answers them in order. */
const REQUESTS = 3;

export const http = Object.entries(PLATFORMS).map(([platform, newAdapter]): TransportUnderLoad => ({
  names: [`HTTP on ${platform}`],
  connectionsPerUser: 2,
  async start() {
    const { app, url } = await startApp({
      controllers: [CallsController],
      providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
      adapter: newAdapter(),
    });
    return {
      connect: async (user, callers) =>
        connectionTo(url, `HTTP on ${platform}`, () => pickTokens(user, callers)),
      close: () => app.close(),
    };
  },
}));

function connectionTo(
  url: string,
  transport: string,
  tokens: () => ReturnType<typeof pickTokens>,
): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async () => {
    const route = random.pick(ROUTES);
    const carried = tokens();
    const call = ledger.plan({ transport, route, tokens: tokensFor(route, carried) });
    const { status, body } = await request(agent, `${url}/${route}/${call.id}`, headersOf(carried));
    if (status === 200) observeAnswer(body as Answer);
    else if (!isRefusal((body as { errorCode?: string }).errorCode)) {
      ledger.report('unexpected answer', `${transport}: ${status} ${JSON.stringify(body)}`);
    }
    ledger.finish(call, status === 200 ? 'served' : 'refused');
  };
  return {
    isOpen: true,
    async burst() {
      await Promise.all(Array.from({ length: REQUESTS }, ask));
    },
    close: () => agent.destroy(),
  };
}

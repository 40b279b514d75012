import { Controller, UseGuards, UseInterceptors } from '@nestjs/common';
import {
  type ClientProxy,
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import {
  Claims,
  fromBody,
  type JwtClaims,
  KmsJwtExpiryInterceptor,
  KmsJwtGuard,
  OptionalAuth,
  Public,
  Scopes,
} from 'nestjs-kms-jwt';
import { concatMap, lastValueFrom, range, tap } from 'rxjs';
import { freePort } from '../../../support/free-port.js';
import { InternalGuard, startApp } from '../apps.js';
import { ROUTES } from '../calls.js';
import { ledger } from '../ledger.js';
import { random } from '../run.js';
import { SCOPE } from '../tokens.js';
import {
  type Callers,
  type Connection,
  isRefusal,
  pickTokens,
  tokensFor,
  type TransportUnderLoad,
} from '../transport.js';
import { type Answer, answer, observeAnswer, SlowPipe, Witnessed } from '../witnesses.js';

interface Question {
  call: string;
}

@Controller()
@UseGuards(KmsJwtGuard)
class CallsController {
  @Witnessed() @MessagePattern('mine') mine(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Scopes(SCOPE) @Witnessed() @MessagePattern('scoped') scoped(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Public() @Witnessed() @MessagePattern('open') open(
    @Payload() { call }: Question,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @OptionalAuth() @Witnessed() @MessagePattern('optional') optional(
    @Payload() { call }: Question,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @Witnessed(InternalGuard) @MessagePattern('internal') internal(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @UseInterceptors(KmsJwtExpiryInterceptor) @Scopes(SCOPE) @Witnessed() @MessagePattern('stream') stream(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return range(0, 1 + random.below(4)).pipe(concatMap(() => answer(call, claims, sub)));
  }
}

/** Concurrent messages with the tokens of several users over each connection. */
export const tcp: TransportUnderLoad = {
  names: ['TCP'],
  connectionsPerUser: 1,
  async start() {
    const options = { host: '127.0.0.1', port: await freePort() };
    const { app } = await startApp({
      controllers: [CallsController],
      tokenFrom: fromBody('token'),
      internalFrom: fromBody('internal'),
      prepare(prepared) {
        prepared.connectMicroservice<MicroserviceOptions>({ transport: Transport.TCP, options });
        return prepared.startAllMicroservices();
      },
    });
    return {
      connect: async (_user, callers) =>
        connectionOf(ClientProxyFactory.create({ transport: Transport.TCP, options }), callers),
      close: () => app.close(),
    };
  },
};

function connectionOf(client: ClientProxy, callers: Callers): Connection {
  return {
    isOpen: true,
    async burst() {
      await Promise.all(Array.from({ length: 2 + random.below(4) }, () => makeCall(client, callers)));
    },
    close: () => client.close() as Promise<void> | void,
  };
}

async function makeCall(client: ClientProxy, callers: Callers): Promise<void> {
  const tokens = pickTokens(random.pick(callers.users), callers);
  const pattern = random.pick([...ROUTES, 'stream'] as const);
  const route = pattern === 'stream' ? 'scoped' : pattern;
  const call = ledger.plan({ transport: 'TCP', route, tokens: tokensFor(route, tokens) });
  const data = { call: call.id, token: tokens.user?.value, internal: tokens.internal?.value };
  let answers = 0;
  const noteAnswer = (answered: Answer) => {
    answers += 1;
    observeAnswer(answered);
  };
  try {
    await lastValueFrom(client.send<Answer>(pattern, data).pipe(tap(noteAnswer)));
  } catch (error) {
    if (!isRefusal((error as { errorCode?: unknown }).errorCode)) {
      ledger.report('unexpected answer', `TCP, ${pattern}: ${JSON.stringify(error)}`);
    }
  }
  ledger.finish(call, answers > 0 ? 'served' : 'refused');
}

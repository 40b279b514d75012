import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { ServiceError } from '@grpc/grpc-js';
import { Controller, UseGuards } from '@nestjs/common';
import {
  Ctx,
  GrpcMethod,
  GrpcStreamCall,
  GrpcStreamMethod,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { Claims, type JwtClaims, KmsJwtGuard, OptionalAuth, Public, Scopes } from 'nestjs-kms-jwt';
import { concatMap, last, mergeMap, type Observable, range } from 'rxjs';
import { freePort } from '../../../support/free-port.js';
import { InternalGuard, startApp } from '../apps.js';
import { random } from '../run.js';
import { SCOPE } from '../tokens.js';
import { type Answer, answer, SlowPipe, Witnessed } from '../witnesses.js';

export const PROTO = fileURLToPath(new URL('./calls.proto', import.meta.url));

interface Question {
  call: string;
}

/** The client stream call of grpc-js, as passed to a @GrpcStreamCall() handler. */
interface ServerCall extends NodeJS.ReadableStream {
  write(answer: Answer): unknown;
  end(): void;
}

/** Reads a client's stream until it ends or the client leaves: a rejection of the handler would end the process. */
async function readAll<Result>(
  questions: ServerCall,
  work: (question: Question) => Promise<Result>,
): Promise<Result[]> {
  const results: Promise<Result>[] = [];
  questions.on('data', (question: Question) => void results.push(work(question)));
  try {
    await finished(questions, { writable: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
  return Promise.all(results);
}

@Controller()
@UseGuards(KmsJwtGuard)
class CallsController {
  @Witnessed() @GrpcMethod('Calls') mine(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Scopes(SCOPE) @Witnessed() @GrpcMethod('Calls') scoped(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Public() @Witnessed() @GrpcMethod('Calls') open(
    @Payload() { call }: Question,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @OptionalAuth() @Witnessed() @GrpcMethod('Calls') optional(
    @Payload() { call }: Question,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @Witnessed(InternalGuard) @GrpcMethod('Calls') internal(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }

  @Scopes(SCOPE) @Witnessed() @GrpcMethod('Calls') watch(
    @Payload() { call }: Question,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return range(0, 1 + random.below(4)).pipe(concatMap(() => answer(call, claims, sub)));
  }
  @Scopes(SCOPE) @Witnessed() @GrpcStreamMethod('Calls') upload(
    @Payload() questions: Observable<Question>,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return questions.pipe(
      mergeMap(({ call }) => answer(call, claims, sub)),
      last(),
    );
  }
  @Scopes(SCOPE) @Witnessed() @GrpcStreamMethod('Calls') chat(
    @Payload() questions: Observable<Question>,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return questions.pipe(mergeMap(({ call }) => answer(call, claims, sub)));
  }
  @Scopes(SCOPE) @Witnessed() @GrpcStreamCall('Calls') async uploadCall(
    @Payload() questions: ServerCall,
    @Ctx() callback: (error: ServiceError | null, answer?: Answer) => void,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    const answered = await readAll(questions, ({ call }) => answer(call, claims, sub));
    callback(null, answered.at(-1));
  }
  @Scopes(SCOPE) @Witnessed() @GrpcStreamCall('Calls') async chatCall(
    @Payload() questions: ServerCall,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    await readAll(questions, async ({ call }) => questions.write(await answer(call, claims, sub)));
    questions.end();
  }
}

export async function startGrpcApp() {
  const url = `127.0.0.1:${await freePort()}`;
  const { app } = await startApp({
    controllers: [CallsController],
    prepare(prepared) {
      prepared.connectMicroservice<MicroserviceOptions>({
        transport: Transport.GRPC,
        options: { package: 'calls', protoPath: PROTO, url },
      });
      return prepared.startAllMicroservices();
    },
  });
  return { app, url };
}

// A Nest server whose routes differ only in their guard: node bench/servers/guarded.mjs <JWK of the key>
import 'reflect-metadata';
import { createPublicKey } from 'node:crypto';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { KmsJwtGuard, KmsJwtModule } from 'nestjs-kms-jwt';
import { startProfile } from '../profile.mjs';
import { AUDIENCE, ISSUER } from '../tokens.mjs';
import { HandWrittenGuard, makeJwtStrategy, NestJwtGuard, NoGuard, PassportGuard } from './guards.mjs';

const jwk = JSON.parse(process.argv[2]);
const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
const expected = { algorithms: ['ES256'], issuer: ISSUER, audience: AUDIENCE };

/** Calls the decorators as functions, because JavaScript has no syntax for them. */
function routeWith(path, guard) {
  class Route {
    answer() {
      return { ok: true };
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Route.prototype, 'answer');
  Get()(Route.prototype, 'answer', descriptor);
  UseGuards(guard)(Route.prototype, 'answer', descriptor);
  Controller(path)(Route);
  return Route;
}

/** An empty class for the module, as a function. */
function ServerModule() {}
Module({
  imports: [
    KmsJwtModule.forRoot({ jwks: { keys: [jwk] }, verifyOptions: { issuer: ISSUER, audience: AUDIENCE } }),
    JwtModule.register({ publicKey, verifyOptions: expected }),
  ],
  controllers: [
    routeWith('none', NoGuard),
    routeWith('library', KmsJwtGuard),
    routeWith('hand-written', new HandWrittenGuard(publicKey)),
    routeWith('nestjs-jwt', NestJwtGuard),
    routeWith('passport', PassportGuard),
  ],
  providers: [makeJwtStrategy(publicKey, expected)],
})(ServerModule);

const app = await NestFactory.create(ServerModule, { logger: false, abortOnError: false });
await app.listen(0, '127.0.0.1');
let stopProfile;
async function run(command) {
  if (command === 'start profile') {
    stopProfile = await startProfile();
    process.send('started');
  } else {
    process.send(await stopProfile());
  }
}
process.on('message', (command) => void run(command));
process.send({ port: app.getHttpServer().address().port });
process.on('disconnect', () => process.exit());

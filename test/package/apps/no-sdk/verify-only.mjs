import 'reflect-metadata';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { NestFactory } from '@nestjs/core';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';

const pairs = ['one', 'two'].map((kid) => ({ kid, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) }));
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = ({ kid, privateKey }) => {
  const input = `${part({ alg: 'ES256', typ: 'JWT', kid })}.${part({ sub: `signed by ${kid}` })}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
};

/** Serves the key set of the issuer, on the former port if there was one. */
async function issue(published, port = 0) {
  const keys = published.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid }));
  const server = createServer((_, response) => response.end(JSON.stringify({ keys })));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { port: server.address().port, stop };
}

const [one, two] = pairs;
const issuer = await issue([one]);
const jwksUri = `http://127.0.0.1:${issuer.port}/jwks.json`;
const module = KmsJwtModule.forRoot({ jwksUri });
const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
const jwt = app.get(KmsJwtService);
const say = async (when, token) => console.log(`${when}: ${(await jwt.verify(token)).sub}`);

await say('at first', tokenOf(one));
await issuer.stop();
await say('with the issuer down', tokenOf(one));
const rotated = await issue([one, two], issuer.port);
await say('after a rotation', tokenOf(two));
await rotated.stop();
await app.close();

// Tokens verified a second, side by side in one process: this library, its peers, and node:crypto alone as the floor.
import 'reflect-metadata';
import { createPublicKey, verify } from 'node:crypto';
import { Test } from '@nestjs/testing';
import { JwtVerifier } from 'aws-jwt-verify';
import { createVerifier } from 'fast-jwt';
import { createLocalJWKSet, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { Bench } from 'tinybench';

const ROUNDS = 5;
const issuer = 'https://auth.example';
const audience = 'orders';

const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
const signOptions = { issuer, audience, expiresIn: '1h' };
const module = await Test.createTestingModule({
  imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client(), signOptions })],
}).compile();
await module.init();
const jwt = module.get(KmsJwtService);
const jwks = await jwt.jwks();
const token = await jwt.sign({ sub: 'user-42', scope: 'orders:read orders:write' });

const publicKey = createPublicKey({ key: jwks.keys[0], format: 'jwk' });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const [header, payload, signature] = token.split('.');
const signingInput = Buffer.from(`${header}.${payload}`);
const signatureBytes = Buffer.from(signature, 'base64url');
const keySet = createLocalJWKSet(jwks);
const fastVerify = createVerifier({ key: pem, allowedIss: issuer, allowedAud: audience });
const awsVerifier = JwtVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks.json` });
awsVerifier.cacheJwks(jwks);

const contestants = {
  'node:crypto, the signature alone': () =>
    verify('sha256', signingInput, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signatureBytes),
  'nestjs-kms-jwt': () => jwt.verify(token),
  'fast-jwt, without its cache': () => fastVerify(token),
  jsonwebtoken: () => jsonwebtoken.verify(token, publicKey, { algorithms: ['ES256'], issuer, audience }),
  'aws-jwt-verify': () => awsVerifier.verifySync(token),
  jose: () => jwtVerify(token, keySet, { issuer, audience }),
};

const rates = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  const bench = new Bench({ time: 400, warmupTime: 100 });
  for (const [name, run] of Object.entries(contestants)) bench.add(name, run);
  await bench.run();
  for (const { name, result } of bench.tasks) rates[name].push(1000 / result.latency.p50);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const floor = median(rates['node:crypto, the signature alone']);
console.log(`Node ${process.version}, medians of ${ROUNDS} rounds`);
console.table(
  Object.fromEntries(
    Object.entries(rates).map(([name, values]) => [
      name,
      {
        'verifications/s': Math.round(median(values)),
        'µs each': Number((1e6 / median(values)).toFixed(1)),
        'of node:crypto': `${Math.round((100 * median(values)) / floor)} %`,
      },
    ]),
  ),
);
await module.close();

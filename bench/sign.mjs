// What this library adds to one Sign call of KMS: the same tokens by it and by the AWS SDK alone, over LocalKms in the
// same process, so that no network hides the difference.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { SignCommand } from '@aws-sdk/client-kms';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { Bench } from 'tinybench';

const ROUNDS = 5;
const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
const client = localKms.client();
const module = await Test.createTestingModule({
  imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client, signOptions: { expiresIn: '15m' } })],
}).compile();
await module.init();
const jwt = module.get(KmsJwtService);
const Message = createHash('sha256').update('a signing input').digest();

const contestants = {
  'AWS SDK alone, one Sign call': () =>
    client.send(
      new SignCommand({
        KeyId: 'alias/auth',
        SigningAlgorithm: 'ECDSA_SHA_256',
        MessageType: 'DIGEST',
        Message,
      }),
    ),
  'nestjs-kms-jwt, one token': () => jwt.sign({ sub: 'user-42', scope: 'orders:read' }),
};

const latencies = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  const bench = new Bench({ time: 500, warmupTime: 200 });
  for (const [name, run] of Object.entries(contestants)) bench.add(name, run);
  await bench.run();
  for (const { name, result } of bench.tasks) latencies[name].push(result.latency.p50 * 1000);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
console.log(`Node ${process.version}, medians of ${ROUNDS} rounds`);
console.table(
  Object.fromEntries(
    Object.entries(latencies).map(([name, values]) => [
      name,
      { 'µs each': Number(median(values).toFixed(1)) },
    ]),
  ),
);
await module.close();

// Closes an app while a signature is in progress, and reports how long the process lives after that.
import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';

const [keyId, endpoint, timeout] = process.argv.slice(2);
const client = { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'x', secretAccessKey: 'x' } };
const app = await Test.createTestingModule({
  imports: [KmsJwtModule.forRoot({ keyId, client, limits: { timeout: Number(timeout) } })],
}).compile();
await app.init();

const signing = app
  .get(KmsJwtService)
  .sign({})
  .then(
    () => 'signed',
    ({ reason }) => reason,
  );
const start = performance.now();
await app.close();
const closed = performance.now();
process.once('exit', () => {
  const report = { outcome, closedAfter: closed - start, aliveAfter: performance.now() - closed };
  process.stdout.write(JSON.stringify(report));
});
const outcome = await signing;

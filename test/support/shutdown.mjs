// An app that is closed while a signature is under way, and says how long after that nothing kept it alive any more.
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

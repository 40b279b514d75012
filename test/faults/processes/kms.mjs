// LocalKms in a separate process: node kms.mjs <key file> <port>. A message sets the fault; the answer is the number of Sign
// requests so far.
import { GetPublicKeyCommand } from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';

const [file, port] = process.argv.slice(2);
const localKms = new LocalKms({ keys: [{ alias: 'alias/faults' }], file });
const { PublicKey } = await localKms.client().send(new GetPublicKeyCommand({ KeyId: 'alias/faults' }));
const server = await localKms.listen(Number(port));

let current;
process.on('message', ({ fault }) => {
  current?.stop();
  current = fault && localKms.inject(fault);
  process.send(localKms.calls.Sign);
});
process.send({ port: server.port, publicKey: Buffer.from(PublicKey).toString('base64') });

// A KMS with one key over HTTP, in a separate process: node bench/servers/kms.mjs <milliseconds that Sign takes>
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { digestSigner } from './digest-signer.mjs';

const signMs = Number(process.argv[2]);
const KeyId = 'arn:aws:kms:us-east-1:000000000000:key/0f8e3c52-6d1b-4c1a-9a57-000000000001';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const sign = digestSigner(privateKey);

const OPERATIONS = {
  'TrentService.GetPublicKey': async () => ({
    KeyId,
    PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    KeySpec: 'ECC_NIST_P256',
    CustomerMasterKeySpec: 'ECC_NIST_P256',
    KeyUsage: 'SIGN_VERIFY',
    SigningAlgorithms: ['ECDSA_SHA_256'],
  }),
  'TrentService.Sign': async ({ Message }) => {
    if (signMs > 0) await wait(signMs);
    const Signature = sign(Buffer.from(Message, 'base64')).toString('base64');
    return { KeyId, Signature, SigningAlgorithm: 'ECDSA_SHA_256' };
  },
};

async function answer(request, response) {
  let body = '';
  for await (const chunk of request) body += chunk;
  const text = JSON.stringify(await OPERATIONS[request.headers['x-amz-target']](JSON.parse(body)));
  response.writeHead(200, {
    'content-type': 'application/x-amz-json-1.1',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

const server = createServer((request, response) => void answer(request, response));
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  process.send({ port: server.address().port, jwk: publicKey.export({ format: 'jwk' }) });
});
process.on('disconnect', () => process.exit());

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { listen } from './support.js';

const { localKms, key, server, post } = await listen();

async function run(script: string, AWS_ENDPOINT_URL_KMS: string): Promise<unknown> {
  const program = `
    const kms = require('@aws-sdk/client-kms');
    const { createHash, createPublicKey, verify } = require('node:crypto');
    const client = new kms.KMSClient({});
    (async () => { ${script} })().then((result) => console.log(JSON.stringify(result)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], {
    env: {
      AWS_ENDPOINT_URL_KMS,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'any',
      AWS_SECRET_ACCESS_KEY: 'any',
      NODE_NO_WARNINGS: '1',
    },
  });
  return JSON.parse(stdout) as unknown;
}

describe('an unmodified SDK in another process', () => {
  test('signs with only AWS_ENDPOINT_URL_KMS set', async () => {
    localKms.resetCalls();
    const result = await run(
      `const message = Buffer.from('header.payload');
       const KeyId = 'alias/auth';
       const { PublicKey } = await client.send(new kms.GetPublicKeyCommand({ KeyId }));
       const signed = await client.send(new kms.SignCommand({
         KeyId,
         Message: createHash('sha256').update(message).digest(),
         MessageType: 'DIGEST',
         SigningAlgorithm: 'ECDSA_SHA_256',
       }));
       const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
       return { keyId: signed.KeyId, verified: verify('sha256', message, key, signed.Signature) };`,
      server.url,
    );
    expect(result).toEqual({ keyId: key.arn, verified: true });
    expect(localKms.calls).toMatchObject({ Sign: 1, GetPublicKey: 1 });
  });

  test('gets the exception classes of KMS', async () => {
    const result = await run(
      `const error = await client.send(new kms.GetPublicKeyCommand({ KeyId: 'x' })).catch((e) => e);
       return { isNotFound: error instanceof kms.NotFoundException, message: error.message };`,
      server.url,
    );
    expect(result).toEqual({ isNotFound: true, message: "Invalid keyId 'x'" });
  });
});

describe('a response', () => {
  test('is JSON with a request id', async () => {
    const answer = await post('{}');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/x-amz-json-1.1');
    expect(answer.headers.get('x-amzn-RequestId')).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(answer.body)).toEqual({
      Keys: [{ KeyId: key.keyId, KeyArn: key.arn }],
      Truncated: false,
    });
  });

  test('has dates in seconds', async () => {
    const { body } = await post('{}', { 'x-amz-target': 'TrentService.ListAliases' });
    const { Aliases } = JSON.parse(body) as { Aliases: { CreationDate: number }[] };
    expect(Math.abs(Aliases[0]!.CreationDate - Date.now() / 1000)).toBeLessThan(60);
  });

  test('has an empty body if the operation has no output', async () => {
    const answer = await post(JSON.stringify({ KeyId: key.keyId }), {
      'x-amz-target': 'TrentService.EnableKey',
    });
    expect(answer).toMatchObject({ status: 200, body: '' });
  });

  test('has __type and message for an error', async () => {
    const answer = await post('{"KeyId":"x"}', { 'x-amz-target': 'TrentService.DescribeKey' });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-amzn-RequestId')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.body).toBe('{"__type":"NotFoundException","message":"Invalid keyId \'x\'"}');
  });

  test('has an empty message for an invalid signature', async () => {
    const input = {
      KeyId: 'alias/auth',
      Message: 'YQ==',
      Signature: 'YQ==',
      SigningAlgorithm: 'ECDSA_SHA_256',
    };
    const answer = await post(JSON.stringify(input), { 'x-amz-target': 'TrentService.Verify' });
    expect(answer.body).toBe('{"__type":"KMSInvalidSignatureException","message":""}');
  });

  test('has Message, capitalized, for AccessDeniedException', async () => {
    const fault = localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'No.' });
    const answer = await post('{}');
    fault.stop();
    expect(answer).toMatchObject({
      status: 400,
      body: '{"__type":"AccessDeniedException","Message":"No."}',
    });
  });
});

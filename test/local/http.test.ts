import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { afterAll, describe, expect, test } from 'vitest';

const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
const key = localKms.keys[0]!;
const server = await localKms.listen();
afterAll(() => server.close());

const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' };

async function post(body: string | Uint8Array<ArrayBuffer>, more: Record<string, string> = {}) {
  const response = await fetch(server.url, { method: 'POST', headers: { ...headers, ...more }, body });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

async function expectStillAnswering() {
  expect(await post('{}')).toMatchObject({ status: 200 });
}

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

function jsonOf(length: number): string {
  return `{"x":"${'a'.repeat(length - 8)}"}`;
}

function listeners(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPServerWrap').length;
}

describe('an unmodified SDK in another process', () => {
  test('signs, with nothing but AWS_ENDPOINT_URL_KMS set', async () => {
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

  test('reads the errors of KMS', async () => {
    const result = await run(
      `const error = await client.send(new kms.GetPublicKeyCommand({ KeyId: 'x' })).catch((e) => e);
       return { isNotFound: error instanceof kms.NotFoundException, message: error.message };`,
      server.url,
    );
    expect(result).toEqual({ isNotFound: true, message: "Invalid keyId 'x'" });
  });
});

describe('the wire', () => {
  test('answers JSON, with a request id', async () => {
    const answer = await post('{}');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/x-amz-json-1.1');
    expect(answer.headers.get('x-amzn-RequestId')).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(answer.body)).toEqual({
      Keys: [{ KeyId: key.keyId, KeyArn: key.arn }],
      Truncated: false,
    });
  });

  test('answers dates in seconds', async () => {
    const { body } = await post('{}', { 'x-amz-target': 'TrentService.ListAliases' });
    const { Aliases } = JSON.parse(body) as { Aliases: { CreationDate: number }[] };
    expect(Math.abs(Aliases[0]!.CreationDate - Date.now() / 1000)).toBeLessThan(60);
  });

  test('answers nothing where the operation has no output', async () => {
    const answer = await post(JSON.stringify({ KeyId: key.keyId }), {
      'x-amz-target': 'TrentService.EnableKey',
    });
    expect(answer).toMatchObject({ status: 200, body: '' });
  });

  test('answers errors with __type and message', async () => {
    const answer = await post('{"KeyId":"x"}', { 'x-amz-target': 'TrentService.DescribeKey' });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-amzn-RequestId')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.body).toBe('{"__type":"NotFoundException","message":"Invalid keyId \'x\'"}');
  });

  test('answers a bad signature with an empty message', async () => {
    const input = {
      KeyId: 'alias/auth',
      Message: 'YQ==',
      Signature: 'YQ==',
      SigningAlgorithm: 'ECDSA_SHA_256',
    };
    const answer = await post(JSON.stringify(input), { 'x-amz-target': 'TrentService.Verify' });
    expect(answer.body).toBe('{"__type":"KMSInvalidSignatureException","message":""}');
  });

  test('spells Message for AccessDeniedException', async () => {
    const fault = localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'No.' });
    const answer = await post('{}');
    fault.stop();
    expect(answer).toMatchObject({
      status: 400,
      body: '{"__type":"AccessDeniedException","Message":"No."}',
    });
  });
});

describe('a hostile request', () => {
  test.each(['', '{', 'null', '[]', '"a"', '1', '{"KeyId":1}', '\u0000', '[[[[[[[[[', '{"KeyId":{}}'])(
    'with the body %j is refused',
    async (body) => {
      const answer = await post(body, { 'x-amz-target': 'TrentService.DescribeKey' });
      expect(answer.status).toBe(400);
      expect(answer.body).toContain('"__type":"SerializationException"');
      await expectStillAnswering();
    },
  );

  test('with bytes that are not UTF-8 is refused', async () => {
    const answer = await post(Buffer.from('{"KeyId":"\xff\xfe"', 'latin1'));
    expect(answer.body).toContain('SerializationException');
  });

  test('with JSON that goes on for ever in depth is refused', async () => {
    const answer = await post('{"a":'.repeat(100_000));
    expect(answer.status).toBe(400);
    await expectStillAnswering();
  });

  test('with __proto__ changes nothing', async () => {
    const answer = await post('{"__proto__":{"KeyId":"alias/auth"}}', {
      'x-amz-target': 'TrentService.DescribeKey',
    });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.body).toContain("Value null at 'keyId'");
  });

  test.each([
    ['Message', { Message: '*', SigningAlgorithm: 'ECDSA_SHA_256' }],
    ['Message', { Message: 'YQ', SigningAlgorithm: 'ECDSA_SHA_256' }],
    ['DryRun', { Message: 'YQ==', SigningAlgorithm: 'ECDSA_SHA_256', DryRun: 'yes' }],
    ['MessageType', { Message: 'YQ==', SigningAlgorithm: 'ECDSA_SHA_256', MessageType: ['RAW'] }],
  ])('with a %s of the wrong type is refused', async (name, input) => {
    const answer = await post(JSON.stringify({ KeyId: 'alias/auth', ...input }), {
      'x-amz-target': 'TrentService.Sign',
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ __type: 'SerializationException' });
    expect(answer.body).toContain(name);
  });

  test.each([
    'TrentService.Encrypt',
    'TrentService.constructor',
    'TrentService.',
    'TrentService.Sign.Sign',
    'DynamoDB_20120810.ListKeys',
    'ListKeys',
  ])('for %s is no operation of LocalKms', async (target) => {
    const answer = await post('{}', { 'x-amz-target': target });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      __type: 'UnknownOperationException',
      message: expect.stringContaining(`does not support ${target};`),
    });
  });

  test.each(['GET', 'PUT', 'DELETE'])('with %s is refused', async (method) => {
    const response = await fetch(server.url, { method, headers });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ __type: 'UnknownOperationException' });
  });

  test('of another type than KMS speaks is refused', async () => {
    const answer = await post('{}', { 'content-type': 'text/plain' });
    expect(answer.body).toContain('UnknownOperationException');
  });

  test('of 1 MiB is read, and of one byte more is refused', async () => {
    expect(await post(jsonOf(1_048_576))).toMatchObject({ status: 200 });
    const answer = await post(jsonOf(1_048_577));
    expect(answer.status).toBe(413);
    expect(answer.body).toContain('RequestEntityTooLargeException');
    await expectStillAnswering();
  });

  test('of many MiB in chunks is refused', async () => {
    const sent = request(server.url, { method: 'POST', headers });
    for (let index = 0; index < 160; index += 1) sent.write(Buffer.alloc(65_536, ' '));
    sent.end();
    const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(413);
  });

  test('that breaks off harms nobody', async () => {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    await expectStillAnswering();
  });

  test('that is not HTTP harms nobody', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('\u0016\u0003\u0001 hello\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /);
    socket.destroy();
    await expectStillAnswering();
  });
});

const ask = async (more: Record<string, string>) => {
  const sent = request(server.url, { method: 'POST', headers: { ...headers, ...more } });
  sent.end('{}');
  const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
  response.resume();
  return response.statusCode;
};

describe('a web page', () => {
  test.each([
    ['with a name of its own for 127.0.0.1', { host: 'evil.example' }],
    ['with an address that only begins so', { host: '127.0.0.1.evil.example' }],
    ['that says where it is from', { origin: 'http://127.0.0.1:3000' }],
  ])('%s is refused', async (_, more) => {
    expect(await ask(more as Record<string, string>)).toBe(403);
  });

  test('is told apart from a program', async () => {
    expect(await ask({ host: 'localhost:4599' })).toBe(200);
  });
});

describe('the listener', () => {
  test('is on 127.0.0.1, at a free port', () => {
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
  });

  test('closes at once, with connections that are kept alive, and leaves nothing behind', async () => {
    const before = listeners();
    const listener = await new LocalKms().listen();
    expect(listeners()).toBe(before + 1);
    const agent = new Agent({ keepAlive: true });
    const sent = request(listener.url, { agent }).end();
    const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
    await once(response.resume(), 'end');
    const closed = once(sent.socket!, 'close');

    const start = performance.now();
    await listener.close();
    expect(performance.now() - start).toBeLessThan(500);
    await expect.poll(listeners).toBe(before);
    await closed;
    await expect(fetch(listener.url)).rejects.toThrow('fetch failed');
    await listener.close();
  });

  test('takes the port it is told, and says when that is taken', async () => {
    const other = new LocalKms();
    await expect(other.listen(server.port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(other.listen(70_000)).rejects.toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });

    const first = await other.listen();
    await first.close();
    const second = await other.listen(first.port);
    expect(second.port).toBe(first.port);
    await second.close();
  });
});

import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { HEADERS, listen } from './support.js';

const { server, post } = await listen();

function jsonOf(length: number): string {
  return `{"x":"${'a'.repeat(length - 8)}"}`;
}

async function expectStillServing() {
  expect(await post('{}')).toMatchObject({ status: 200 });
}

const ask = async (more: Record<string, string>) => {
  const sent = request(server.url, { method: 'POST', headers: { ...HEADERS, ...more } });
  sent.end('{}');
  const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
  response.resume();
  return response.statusCode;
};

describe('a hostile request', () => {
  test.each(['', '{', 'null', '[]', '"a"', '1', '{"KeyId":1}', '\u0000', '[[[[[[[[[', '{"KeyId":{}}'])(
    'with the body %j gets SerializationException',
    async (body) => {
      const answer = await post(body, { 'x-amz-target': 'TrentService.DescribeKey' });
      expect(answer.status).toBe(400);
      expect(answer.body).toContain('"__type":"SerializationException"');
      await expectStillServing();
    },
  );

  test('with bytes that are not UTF-8 gets SerializationException', async () => {
    const answer = await post(Buffer.from('{"KeyId":"\xff\xfe"', 'latin1'));
    expect(answer.body).toContain('SerializationException');
  });

  test('with 100,000 levels of unclosed JSON is rejected', async () => {
    const answer = await post('{"a":'.repeat(100_000));
    expect(answer.status).toBe(400);
    await expectStillServing();
  });

  test('with a __proto__ member does not set KeyId', async () => {
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
  ])('with an invalid %s gets SerializationException', async (name, input) => {
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
  ])('for the target %s gets UnknownOperationException', async (target) => {
    const answer = await post('{}', { 'x-amz-target': target });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      __type: 'UnknownOperationException',
      message: expect.stringContaining(`does not support ${target};`),
    });
  });

  test.each(['GET', 'PUT', 'DELETE'])('with the method %s gets UnknownOperationException', async (method) => {
    const response = await fetch(server.url, { method, headers: HEADERS });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ __type: 'UnknownOperationException' });
  });

  test('with another Content-Type gets UnknownOperationException', async () => {
    const answer = await post('{}', { 'content-type': 'text/plain' });
    expect(answer.body).toContain('UnknownOperationException');
  });

  test('of 1 MiB is accepted, one byte more gets 413', async () => {
    expect(await post(jsonOf(1_048_576))).toMatchObject({ status: 200 });
    const answer = await post(jsonOf(1_048_577));
    expect(answer.status).toBe(413);
    expect(answer.body).toContain('RequestEntityTooLargeException');
    await expectStillServing();
  });

  test('of 10 MiB in chunks gets 413', async () => {
    const sent = request(server.url, { method: 'POST', headers: HEADERS });
    for (let index = 0; index < 160; index += 1) sent.write(Buffer.alloc(65_536, ' '));
    sent.end();
    const [response] = (await once(sent, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(413);
  });

  test('that breaks off leaves the server running', async () => {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    await expectStillServing();
  });

  test('that is not HTTP leaves the server running', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('\u0016\u0003\u0001 hello\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 400 /);
    socket.destroy();
    await expectStillServing();
  });
});

describe('a request from a web page', () => {
  test.each([
    ['through a host name that resolves to 127.0.0.1', { host: 'evil.example' }],
    ['through a host name that begins with 127.0.0.1', { host: '127.0.0.1.evil.example' }],
    ['with an Origin header', { origin: 'http://127.0.0.1:3000' }],
  ])('%s gets 403', async (_, more) => {
    expect(await ask(more as Record<string, string>)).toBe(403);
  });

  test('is distinguished from that of a program, which has no Origin header', async () => {
    expect(await ask({ host: 'localhost:4599' })).toBe(200);
  });
});

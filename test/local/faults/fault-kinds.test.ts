import {
  type KMSClientConfig,
  SignCommand,
  type SignCommandOutput,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { errorOf, isSignatureOf } from '../support.js';
import { carriers, signed, until } from './support.js';

describe.each(Object.keys(carriers) as (keyof typeof carriers)[])('%s', (carrier) => {
  async function setUp(config: KMSClientConfig = {}) {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
    const { client, close } = await carriers[carrier](localKms, config);
    onTestFinished(async () => {
      client.destroy();
      await close();
    });
    const sign = (abortSignal?: AbortSignal): Promise<SignCommandOutput> =>
      client.send(new SignCommand(signed), { abortSignal });
    return { localKms, client, close, sign, key: localKms.keys[0]! };
  }

  test('throttle: rejects with ThrottlingException after the last attempt', async () => {
    const { localKms, sign } = await setUp({ maxAttempts: 1 });
    localKms.inject({ kind: 'throttle' });
    const error = await errorOf(sign());
    expect(error).toMatchObject({
      name: 'ThrottlingException',
      message: 'Rate exceeded',
      $metadata: { httpStatusCode: 400 },
    });
  });

  test.each([
    [{ kind: 'error', name: 'AccessDeniedException', message: 'Not you.' }, 400, 1],
    [{ kind: 'error', name: 'ExpiredTokenException', message: 'Too late.' }, 400, 1],
    [{ kind: 'error', name: 'KMSInternalException', message: 'Oh.', status: 500 }, 500, 3],
    [{ kind: 'error', name: 'KeyUnavailableException', message: 'Oh.', status: 500 }, 500, 3],
  ] as const)('error: rejects with %o', async (fault, status, attempts) => {
    const { localKms, sign } = await setUp();
    localKms.inject(fault);
    const error = await errorOf(sign());
    expect(error).toMatchObject({
      name: fault.name,
      message: fault.message,
      $metadata: { httpStatusCode: status, attempts },
    });
    expect(error.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(localKms.calls.Sign).toBe(attempts);
  });

  test('delay: responds after the delay', async () => {
    const { localKms, client, sign } = await setUp();
    await sign();
    const fault = localKms.inject({ kind: 'delay', milliseconds: 50, times: 1 });
    const start = performance.now();
    const { Signature } = await sign();
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature)).toBe(true);
    expect(fault.count).toBe(1);
  });

  test('delay: rejects with AbortError once the signal aborts', async () => {
    const { localKms, sign } = await setUp();
    const fault = localKms.inject({ kind: 'delay', milliseconds: 60_000 });
    const controller = new AbortController();
    const pending = errorOf(sign(controller.signal));
    await until(() => fault.count === 1);
    controller.abort();
    expect((await pending).name).toBe('AbortError');
  });

  test('drop: resets the connection, and the SDK retries', async () => {
    const { localKms, sign } = await setUp();
    localKms.inject({ kind: 'drop', times: 1 });
    expect((await sign()).$metadata.attempts).toBe(2);

    localKms.resetCalls();
    localKms.inject({ kind: 'drop' });
    expect(await errorOf(sign())).toMatchObject({ name: 'TimeoutError', code: 'ECONNRESET' });
    expect(localKms.calls.Sign).toBe(3);
  });

  test('hang: rejects with AbortError once the signal aborts', async () => {
    const { localKms, sign } = await setUp();
    const fault = localKms.inject({ kind: 'hang', operation: 'Sign' });
    const controller = new AbortController();
    const pending = errorOf(sign(controller.signal));
    await until(() => fault.count === 1);
    controller.abort();
    expect((await pending).name).toBe('AbortError');
  });

  test('stop: responds to held requests at once, and no longer affects requests', async () => {
    const { localKms, sign } = await setUp();
    for (const kind of ['hang', 'delay'] as const) {
      const fault = localKms.inject(kind === 'hang' ? { kind } : { kind, milliseconds: 60_000 });
      const pending = sign();
      await until(() => fault.count === 1);
      fault.stop();
      expect((await pending).Signature).toBeDefined();
      await sign();
      expect(fault.count).toBe(1);
    }
  });

  test('html: responds 503 with HTML, which the SDK cannot parse', async () => {
    const { localKms, sign } = await setUp({ maxAttempts: 1 });
    localKms.inject({ kind: 'html' });
    const error = await errorOf(sign());
    expect(error).toBeInstanceOf(SyntaxError);
    expect(error.$metadata.httpStatusCode).toBe(503);
  });

  test('corruptSignature: returns an invalid signature in valid DER', async () => {
    const { localKms, client, sign, key } = await setUp();
    const fault = localKms.inject({ kind: 'corruptSignature', times: 1 });
    const { KeyId, Signature } = await sign();
    expect(KeyId).toBe(key.arn);
    expect(Signature![0]).toBe(0x30);
    expect(Signature!.length).toBe(Signature![1]! + 2);
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature)).toBe(false);
    expect((await errorOf(client.send(new VerifyCommand({ ...signed, Signature })))).name).toBe(
      'KMSInvalidSignatureException',
    );
    expect(fault.count).toBe(1);
  });

  test('otherKey: returns the signature and ARN of another key', async () => {
    const { localKms, client, sign, key } = await setUp();
    localKms.inject({ kind: 'otherKey' });
    const { KeyId, Signature } = await sign();
    expect(KeyId).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}$/);
    expect(KeyId).not.toBe(key.arn);
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature)).toBe(false);
    expect(localKms.keys).toHaveLength(1);
  });

  test('signature: returns the given bytes', async () => {
    const { localKms, sign, key } = await setUp();
    localKms.inject({ kind: 'signature', signature: Buffer.from('3006020101020101', 'hex') });
    const { KeyId, Signature } = await sign();
    expect(KeyId).toBe(key.arn);
    expect(Buffer.from(Signature!).toString('hex')).toBe('3006020101020101');
  });

  test('omitSignature: succeeds without a signature', async () => {
    const { localKms, sign, key } = await setUp();
    localKms.inject({ kind: 'omitSignature' });
    const answer = await sign();
    expect(answer).toMatchObject({ KeyId: key.arn, $metadata: { httpStatusCode: 200 } });
    expect(answer.Signature).toBeUndefined();
  });

  test('sends nothing if the signal is already aborted', async () => {
    const { localKms, sign } = await setUp();
    const error = await errorOf(sign(AbortSignal.abort()));
    expect(error.name).toBe('AbortError');
    expect(localKms.calls.Sign).toBe(0);
  });
});

describe('over HTTP', () => {
  test('hang: resets the connection once the server closes', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
    const { client, close } = await carriers['over HTTP'](localKms, { maxAttempts: 1 });
    const fault = localKms.inject({ kind: 'hang' });
    const pending = errorOf(client.send(new SignCommand(signed)));
    await until(() => fault.count === 1);
    await close();
    expect(await pending).toMatchObject({ name: 'TimeoutError', code: 'ECONNRESET' });
  });
});

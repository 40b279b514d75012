import {
  KMSClient,
  type KMSClientConfig,
  SignCommand,
  type SignCommandOutput,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { errorOf, isSignatureOf, message } from './support.js';

const signed = { KeyId: 'alias/auth', SigningAlgorithm: 'ECDSA_SHA_256', Message: message } as const;

const carriers = {
  'in process': async (localKms: LocalKms, config: KMSClientConfig) => {
    return { client: localKms.client(config), close: async () => {} };
  },
  'over HTTP': async (localKms: LocalKms, config: KMSClientConfig) => {
    const server = await localKms.listen();
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const client = new KMSClient({ endpoint: server.url, region: 'us-east-1', credentials, ...config });
    return { client, close: () => server.close() };
  },
};

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

  test('throttle: is an exception once the attempts are used up', async () => {
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
  ] as const)('error: %o', async (fault, status, attempts) => {
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

  test('delay: the answer comes later', async () => {
    const { localKms, client, sign } = await setUp();
    await sign();
    const fault = localKms.inject({ kind: 'delay', milliseconds: 50, times: 1 });
    const start = performance.now();
    const { Signature } = await sign();
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature)).toBe(true);
    expect(fault.count).toBe(1);
  });

  test('delay: ends with the abort signal', async () => {
    const { localKms, sign } = await setUp();
    localKms.inject({ kind: 'delay', milliseconds: 60_000 });
    const error = await errorOf(sign(AbortSignal.timeout(20)));
    expect(error.name).toBe('AbortError');
  });

  test('drop: the connection is reset, and the SDK tries again', async () => {
    const { localKms, sign } = await setUp();
    localKms.inject({ kind: 'drop', times: 1 });
    expect((await sign()).$metadata.attempts).toBe(2);

    localKms.resetCalls();
    localKms.inject({ kind: 'drop' });
    expect(await errorOf(sign())).toMatchObject({ name: 'TimeoutError', code: 'ECONNRESET' });
    expect(localKms.calls.Sign).toBe(3);
  });

  test('hang: there is no answer until the abort signal', async () => {
    const { localKms, sign } = await setUp();
    const fault = localKms.inject({ kind: 'hang', operation: 'Sign' });
    const error = await errorOf(sign(AbortSignal.timeout(20)));
    expect(error.name).toBe('AbortError');
    expect(fault.count).toBe(1);
  });

  test('stop: requests that hang or wait are answered now, and others are met no more', async () => {
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

  test('html: a proxy answers, and the SDK cannot read it', async () => {
    const { localKms, sign } = await setUp({ maxAttempts: 1 });
    localKms.inject({ kind: 'html' });
    const error = await errorOf(sign());
    expect(error).toBeInstanceOf(SyntaxError);
    expect(error.$metadata.httpStatusCode).toBe(503);
  });

  test('corruptSignature: good DER, and no signature of the message', async () => {
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

  test('otherKey: the signature and the ARN of another key', async () => {
    const { localKms, client, sign, key } = await setUp();
    localKms.inject({ kind: 'otherKey' });
    const { KeyId, Signature } = await sign();
    expect(KeyId).toMatch(/^arn:aws:kms:us-east-1:000000000000:key\/[0-9a-f-]{36}$/);
    expect(KeyId).not.toBe(key.arn);
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature)).toBe(false);
    expect(localKms.keys).toHaveLength(1);
  });

  test('signature: these bytes', async () => {
    const { localKms, sign, key } = await setUp();
    localKms.inject({ kind: 'signature', signature: Buffer.from('3006020101020101', 'hex') });
    const { KeyId, Signature } = await sign();
    expect(KeyId).toBe(key.arn);
    expect(Buffer.from(Signature!).toString('hex')).toBe('3006020101020101');
  });

  test('omitSignature: success, without a signature', async () => {
    const { localKms, sign, key } = await setUp();
    localKms.inject({ kind: 'omitSignature' });
    const answer = await sign();
    expect(answer).toMatchObject({ KeyId: key.arn, $metadata: { httpStatusCode: 200 } });
    expect(answer.Signature).toBeUndefined();
  });

  test('an aborted signal is an AbortError before anything is sent', async () => {
    const { localKms, sign } = await setUp();
    const error = await errorOf(sign(AbortSignal.abort()));
    expect(error.name).toBe('AbortError');
    expect(localKms.calls.Sign).toBe(0);
  });
});

describe('over HTTP', () => {
  test('hang: ends when the server closes', async () => {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
    const { client, close } = await carriers['over HTTP'](localKms, { maxAttempts: 1 });
    const fault = localKms.inject({ kind: 'hang' });
    const pending = errorOf(client.send(new SignCommand(signed)));
    await until(() => fault.count === 1);
    await close();
    expect(await pending).toMatchObject({ name: 'TimeoutError', code: 'ECONNRESET' });
  });
});

function inProcess() {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client({ maxAttempts: 1 });
  return { localKms, client, sign: () => client.send(new SignCommand(signed)) };
}

describe('faults', () => {
  test('of throttling end where the SDK tries often enough', async () => {
    const { localKms } = inProcess();
    const fault = localKms.inject({ kind: 'throttle', operation: 'Sign', times: 2 });
    const { $metadata } = await localKms.client().send(new SignCommand(signed));
    expect($metadata.attempts).toBe(3);
    expect(localKms.calls.Sign).toBe(3);
    expect(fault.count).toBe(2);
  });

  test('apply in their order: the first that concerns the operation and is not used up', async () => {
    const { localKms, sign } = inProcess();
    const faults = [
      localKms.inject({ kind: 'error', name: 'Verifying', operation: 'Verify' }),
      localKms.inject({ kind: 'error', name: 'First', times: 2 }),
      localKms.inject({ kind: 'error', name: 'Second', operation: 'Sign', times: 1 }),
      localKms.inject({ kind: 'error', name: 'Third' }),
    ];
    const names: string[] = [];
    for (let index = 0; index < 5; index += 1) names.push((await errorOf(sign())).name);
    expect(names).toEqual(['First', 'First', 'Second', 'Third', 'Third']);
    expect(faults.map((fault) => fault.count)).toEqual([0, 2, 1, 2]);

    for (const fault of faults) fault.stop();
    expect((await sign()).Signature).toBeDefined();
  });

  test('of signatures concern Sign alone', async () => {
    const { localKms, client } = inProcess();
    const fault = localKms.inject({ kind: 'signature', signature: Buffer.alloc(1) });
    await errorOf(client.send(new VerifyCommand({ ...signed, Signature: Buffer.alloc(8) })));
    expect(fault.count).toBe(0);
  });

  test('of signatures leave the errors of Sign as they are', async () => {
    const { localKms, client } = inProcess();
    localKms.inject({ kind: 'otherKey' });
    const error = await errorOf(client.send(new SignCommand({ ...signed, KeyId: 'alias/x' })));
    expect(error.name).toBe('NotFoundException');
  });

  test('leave no timer behind when they are stopped, or nobody waits any more', async () => {
    const LONG = 60_000;
    const [started, cleared] = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'clearTimeout')];
    onTestFinished(() => {
      started.mockRestore();
      cleared.mockRestore();
    });
    const timers = () => {
      const ended = new Set<unknown>(cleared.mock.calls.map(([timer]) => timer));
      return started.mock.results.filter(
        ({ value }, index) => started.mock.calls[index]?.[1] === LONG && !ended.has(value),
      ).length;
    };

    const { localKms, client, sign } = inProcess();
    const fault = localKms.inject({ kind: 'delay', milliseconds: LONG });
    const abort = new AbortController();
    const aborted = errorOf(client.send(new SignCommand(signed), { abortSignal: abort.signal }));
    const released = sign();
    await until(() => fault.count === 2);
    expect(timers()).toBe(2);
    abort.abort();
    await aborted;
    expect(timers()).toBe(1);
    fault.stop();
    await released;
    expect(timers()).toBe(0);
  });

  test('are counted as calls', async () => {
    const { localKms, sign } = inProcess();
    localKms.inject({ kind: 'drop' });
    await errorOf(sign());
    expect(localKms.calls).toMatchObject({ Sign: 1, GetPublicKey: 0 });
    localKms.resetCalls();
    expect(localKms.calls.Sign).toBe(0);
  });

  test.each([
    [undefined, 'fault.kind'],
    [{}, 'fault.kind'],
    [{ kind: 'explode' }, 'fault.kind'],
    [{ kind: 'throttle', milliseconds: 1 }, 'fault.milliseconds'],
    [{ kind: 'throttle', times: 0 }, 'fault.times'],
    [{ kind: 'throttle', times: 1.5 }, 'fault.times'],
    [{ kind: 'throttle', operation: 'Encrypt' }, 'fault.operation'],
    [{ kind: 'corruptSignature', operation: 'Verify' }, 'fault.operation'],
    [{ kind: 'delay' }, 'fault.milliseconds'],
    [{ kind: 'delay', milliseconds: -1 }, 'fault.milliseconds'],
    [{ kind: 'delay', milliseconds: 2 ** 31 }, 'fault.milliseconds'],
    [{ kind: 'error' }, 'fault.name'],
    [{ kind: 'error', name: 'X', message: 1 }, 'fault.message'],
    [{ kind: 'error', name: 'X', status: 200 }, 'fault.status'],
    [{ kind: 'signature' }, 'fault.signature'],
    [{ kind: 'signature', signature: 'MAYC' }, 'fault.signature'],
  ])('that make no sense are refused: %o', (fault, name) => {
    expect(() => new LocalKms().inject(fault as LocalKmsFault)).toThrow(
      expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(`LocalKms ${name} `) }),
    );
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

import { SignCommand, VerifyCommand } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { errorOf } from '../support.js';
import { signed, until } from './support.js';

function inProcess() {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client({ maxAttempts: 1 });
  return { localKms, client, sign: () => client.send(new SignCommand(signed)) };
}

describe('inject', () => {
  test('applies a throttle twice with times: 2, and the third attempt of the SDK succeeds', async () => {
    const { localKms } = inProcess();
    const fault = localKms.inject({ kind: 'throttle', operation: 'Sign', times: 2 });
    const { $metadata } = await localKms.client().send(new SignCommand(signed));
    expect($metadata.attempts).toBe(3);
    expect(localKms.calls.Sign).toBe(3);
    expect(fault.count).toBe(2);
  });

  test('applies the first fault that matches the operation and is not used up', async () => {
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

  test('applies a signature fault to Sign only', async () => {
    const { localKms, client } = inProcess();
    const fault = localKms.inject({ kind: 'signature', signature: Buffer.alloc(1) });
    await errorOf(client.send(new VerifyCommand({ ...signed, Signature: Buffer.alloc(8) })));
    expect(fault.count).toBe(0);
  });

  test('keeps the errors of Sign under a signature fault', async () => {
    const { localKms, client } = inProcess();
    localKms.inject({ kind: 'otherKey' });
    const error = await errorOf(client.send(new SignCommand({ ...signed, KeyId: 'alias/x' })));
    expect(error.name).toBe('NotFoundException');
  });

  test('leaves no timer behind once the fault is stopped or the request is aborted', async () => {
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

  test('counts a request that a fault ends as a call', async () => {
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
  ])('throws a TypeError that names the invalid property: %o', (fault, name) => {
    expect(() => new LocalKms().inject(fault as LocalKmsFault)).toThrow(
      expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(`LocalKms ${name} `) }),
    );
  });
});

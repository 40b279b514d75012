import { describe, expect, test, vi } from 'vitest';
import { KmsJwtOptionsError, KmsUnavailableError } from '../../src/errors/errors.js';
import type { KmsSignature, KmsSignRequest } from '../../src/kms/kms-gateway.js';
import { A, B, forEver, isSignedBy, newSigner } from './token-signer.support.js';

describe('a signal', () => {
  const reason = new Error('gone');

  test('that has aborted before ends the call before anybody is asked, but after the claims were looked at', async () => {
    const { sign, ring } = newSigner();
    const signal = AbortSignal.abort(reason);
    await expect(sign({}, { signal })).rejects.toBe(reason);
    await expect(sign({ exp: 'soon' }, { signal })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    expect(ring.active).not.toHaveBeenCalled();
  });

  test('may end any number of calls, and Node warns of no leak', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => newSigner().sign({}, { signal })));
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  test('reaches KMS', async () => {
    const { sign, requests } = newSigner([forEver]);
    const controller = new AbortController();
    const signing = sign({}, { signal: controller.signal });
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    controller.abort(reason);
    await expect(signing).rejects.toBe(reason);
    expect(requests[0]?.signal?.reason).toBe(reason);
  });

  test('may be of another make than Node’s', async () => {
    const signal = { throwIfAborted() {}, addEventListener() {}, removeEventListener() {} };
    await newSigner().sign({}, { signal: signal as unknown as AbortSignal });
  });

  test.each<[string, (ring: ReturnType<typeof newSigner>['ring']) => void]>([
    ['the key', (ring) => ring.active.mockImplementation(forEver)],
    ['the refresh', (ring) => ring.refresh.mockImplementation(forEver)],
    ['the key after that', (ring) => ring.active.mockResolvedValueOnce(A).mockImplementation(forEver)],
  ])('ends the wait for %s', async (_, hang) => {
    const { sign, ring } = newSigner([B.answer], { requestAlias: true });
    hang(ring);
    const controller = new AbortController();
    const signing = sign({}, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(signing).rejects.toBe(reason);
  });
});

describe('the deadline', () => {
  test.each<[string, (ring: ReturnType<typeof newSigner>['ring']) => void]>([
    ['the key', (ring) => ring.active.mockImplementation(forEver)],
    ['the refresh', (ring) => ring.refresh.mockImplementation(forEver)],
    ['the key after that', (ring) => ring.active.mockResolvedValueOnce(A).mockImplementation(forEver)],
  ])('stands over the wait for %s', async (_, hang) => {
    const { sign, ring } = newSigner([B.answer], { requestAlias: true, timeout: 20 });
    hang(ring);
    await expect(sign()).rejects.toThrow(
      new KmsUnavailableError('timeout', 'KMS did not answer within 20 ms: no token was signed'),
    );
  });
});

describe('close', () => {
  test('waits for what is being signed, and refuses what comes then', async () => {
    let answer!: (signature: KmsSignature) => void;
    const { sign, signer, requests } = newSigner([() => new Promise((resolve) => (answer = resolve))]);
    const signing = sign();
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    let isClosed = false;
    const closed = signer.close().then(() => (isClosed = true));

    await expect(sign()).rejects.toThrow(
      new KmsUnavailableError('shutdown', 'No token was signed: this process is shutting down'),
    );
    expect(isClosed).toBe(false);
    answer(A.answer(requests[0] as KmsSignRequest));
    expect(isSignedBy(A, await signing)).toBe(true);
    await closed;
  });

  test('is told what is wrong with the claims all the same', async () => {
    const { sign, signer } = newSigner();
    await signer.close();
    await expect(sign({ exp: 'soon' })).rejects.toBeInstanceOf(KmsJwtOptionsError);
  });
});

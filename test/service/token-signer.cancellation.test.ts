import { describe, expect, test, vi } from 'vitest';
import { KmsJwtOptionsError, KmsUnavailableError } from '../../src/errors/errors.js';
import type { KmsSignature, KmsSignRequest } from '../../src/kms/kms-gateway.js';
import { A, B, forEver, isSignedBy, newSigner } from './token-signer.support.js';

describe('a signal', () => {
  const reason = new Error('gone');

  test('that has already aborted ends the call after the check of the claims and before the key is fetched', async () => {
    const { sign, ring } = newSigner();
    const signal = AbortSignal.abort(reason);
    await expect(sign({}, { signal })).rejects.toBe(reason);
    await expect(sign({ exp: 'soon' }, { signal })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    expect(ring.active).not.toHaveBeenCalled();
  });

  test('may end any number of calls without a warning of Node.js about a leak', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => newSigner().sign({}, { signal })));
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  test('is passed to the KMS call', async () => {
    const { sign, requests } = newSigner([forEver]);
    const controller = new AbortController();
    const signing = sign({}, { signal: controller.signal });
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    controller.abort(reason);
    await expect(signing).rejects.toBe(reason);
    expect(requests[0]?.signal?.reason).toBe(reason);
  });

  test('may be a foreign AbortSignal', async () => {
    const signal = { throwIfAborted() {}, addEventListener() {}, removeEventListener() {} };
    await newSigner().sign({}, { signal: signal as unknown as AbortSignal });
  });

  test.each<[string, (ring: ReturnType<typeof newSigner>['ring']) => void]>([
    ['the key', (ring) => ring.active.mockImplementation(forEver)],
    ['the refresh', (ring) => ring.refresh.mockImplementation(forEver)],
    ['the key after the refresh', (ring) => ring.active.mockResolvedValueOnce(A).mockImplementation(forEver)],
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
    ['the key after the refresh', (ring) => ring.active.mockResolvedValueOnce(A).mockImplementation(forEver)],
  ])('covers the wait for %s', async (_, hang) => {
    const { sign, ring } = newSigner([B.answer], { requestAlias: true, timeout: 20 });
    hang(ring);
    await expect(sign()).rejects.toThrow(
      new KmsUnavailableError('timeout', 'KMS did not answer within 20 ms: no token was signed'),
    );
  });
});

describe('close', () => {
  test('waits for signatures in progress, and refuses new calls', async () => {
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

  test('does not prevent the check of the claims', async () => {
    const { sign, signer } = newSigner();
    await signer.close();
    await expect(sign({ exp: 'soon' })).rejects.toBeInstanceOf(KmsJwtOptionsError);
  });
});

import { connectionReset } from '../faults/connection-error.js';
import type { InjectedFault } from '../faults/faults.js';
import { type Input, requiredString } from '../operations/input.js';
import { base64, type Output } from '../operations/output.js';
import { sign } from '../operations/signing-operations.js';
import { KeyStore } from '../store/key-store.js';
import { KmsError } from '../store/kms-error.js';
import { isMultiRegion, randomKeyId } from '../store/names.js';
import { type HttpResponse, proxyFailure, success } from './http-messages.js';

/** A request that a fault applies to. */
export interface Call {
  readonly store: KeyStore;
  readonly input: Input;
  /** Runs the operation, as if there were no fault. */
  readonly perform: () => Output;
}

/**
 * Responds to a request as the fault demands.
 *
 * @param gone aborted once the client no longer waits for the response
 * @throws KmsError, ConnectionError (rejects with)
 */
// oxlint-disable-next-line typescript/consistent-return -- tsc checks that the switch is exhaustive
export async function answerWithFault(
  injected: InjectedFault,
  call: Call,
  gone: AbortSignal | undefined,
): Promise<HttpResponse> {
  const { fault } = injected;
  switch (fault.kind) {
    case 'throttle':
      throw new KmsError('ThrottlingException', 'Rate exceeded');
    case 'error':
      throw new KmsError(fault.name, fault.message ?? '', fault.status);
    case 'drop':
      throw connectionReset();
    case 'html':
      return proxyFailure();
    case 'hang':
      await injected.hold(gone);
      return success(call.perform());
    case 'delay':
      await injected.hold(gone, fault.milliseconds);
      return success(call.perform());
    case 'corruptSignature':
      return success(withSignature(call, corrupt));
    case 'signature':
      return success(withSignature(call, () => base64(fault.signature)));
    case 'omitSignature':
      return success(withSignature(call, () => undefined));
    case 'otherKey':
      call.perform();
      return success(signWithOtherKey(call));
  }
}

function withSignature(call: Call, change: (signature: string) => string | undefined): Output {
  const output: Record<string, unknown> = { ...call.perform() };
  return { ...output, Signature: change(String(output.Signature)) };
}

/** Flips the last bit of s: the DER stays valid, the signature does not. */
function corrupt(signature: string): string {
  const bytes = Buffer.from(signature, 'base64');
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return base64(bytes);
}

function signWithOtherKey({ store, input }: Call): Output {
  const { keyId, keySpec, keyUsage } = store.find(requiredString(input, 'KeyId'));
  const others = new KeyStore(store.region, store.accountId, () => {});
  const other = others.createKey({ keyId: randomKeyId(isMultiRegion(keyId)), keySpec, keyUsage });
  return sign(others, { ...input, KeyId: other.keyId });
}

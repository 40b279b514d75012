import { ConnectionError } from '../faults/connection-error.js';
import type { Faults } from '../faults/faults.js';
import type { Input } from '../operations/input.js';
import { type LocalKmsOperation, OPERATION_NAMES, OPERATIONS } from '../operations/operations.js';
import type { KeyStore } from '../store/key-store.js';
import { KmsError } from '../store/kms-error.js';
import { answerWithFault } from './fault-answers.js';
import { failure, type HttpRequest, type HttpResponse, success } from './http-messages.js';

/** The largest request body, in bytes. */
export const MAX_BODY_BYTES = 1_048_576;

/** The protocol of AWS KMS, AWS JSON 1.1: turns an HTTP request into the HTTP response. */
export class Wire {
  /** The number of requests received, by operation. */
  calls = noCalls();

  constructor(
    private readonly store: KeyStore,
    private readonly faults: Faults,
  ) {}

  resetCalls(): void {
    this.calls = noCalls();
  }

  /**
   * Responds to a request. An error of KMS is a response too.
   *
   * @param gone aborted once the client no longer waits for the response
   * @throws ConnectionError (rejects with) if the connection ends without a response
   */
  async answer(request: HttpRequest, gone?: AbortSignal): Promise<HttpResponse> {
    try {
      const operation = readOperation(request);
      this.calls[operation] += 1;
      const input = readInput(request.body);
      const perform = () => OPERATIONS[operation](this.store, input);
      const fault = this.faults.take(operation);
      if (fault === undefined) return success(perform());
      return await answerWithFault(fault, { store: this.store, input, perform }, gone);
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      if (error instanceof KmsError) return failure(error);
      return failure(new KmsError('KMSInternalException', String(error), 500));
    }
  }
}

function readOperation({ method, headers, body }: HttpRequest): LocalKmsOperation {
  if (body.length > MAX_BODY_BYTES) {
    throw new KmsError('RequestEntityTooLargeException', `The body exceeds ${MAX_BODY_BYTES} bytes.`, 413);
  }
  if (method !== 'POST') throw unknownOperation(`LocalKms accepts POST, not ${method}.`);
  if (!String(headers['content-type']).startsWith('application/x-amz-json-1.1')) {
    throw unknownOperation('LocalKms accepts the Content-Type application/x-amz-json-1.1 only.');
  }
  const target = String(headers['x-amz-target']);
  const operation = OPERATION_NAMES.find((name) => target === `TrentService.${name}`);
  if (operation !== undefined) return operation;
  throw unknownOperation(`LocalKms does not support ${target}; it supports ${OPERATION_NAMES.join(', ')}.`);
}

function readInput(body: Uint8Array): Input {
  const input = parse(body);
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as Input;
  throw new KmsError('SerializationException', 'The body is not a JSON object.');
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw new KmsError('SerializationException', `The body is not JSON: ${(error as Error).message}`);
  }
}

function unknownOperation(message: string): KmsError {
  return new KmsError('UnknownOperationException', message);
}

function noCalls(): Record<LocalKmsOperation, number> {
  return Object.fromEntries(OPERATION_NAMES.map((name) => [name, 0])) as Record<LocalKmsOperation, number>;
}

import { requestAborted } from '../faults/connection-error.js';
import type { HttpResponse } from './http-messages.js';
import type { Wire } from './wire.js';

/** The members of the SDK's request that LocalKms reads. */
interface SdkRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

/** The `requestHandler` of a KMSClient whose requests stay inside the process. Implements the SDK's `HttpHandler`. */
export class LocalRequestHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };

  constructor(private readonly wire: Wire) {}

  async handle(
    { method, headers, body }: SdkRequest,
    { abortSignal }: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: HttpResponse }> {
    const signal = abortSignal as AbortSignal | undefined;
    if (signal?.aborted === true) throw requestAborted(signal.reason);
    // Older versions of the SDK send a string.
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body as Uint8Array);
    return { response: await this.wire.answer({ method, headers, body: bytes }, signal) };
  }

  /** There is no connection to configure. */
  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  /** There is nothing to destroy: a LocalKms can have many clients and outlives them. */
  destroy(): void {}
}

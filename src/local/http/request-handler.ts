import { requestAborted } from '../faults/connection-error.js';
import type { HttpResponse } from './http-messages.js';
import type { Wire } from './wire.js';

/** The part of the SDK's request that is read here. */
interface SdkRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
}

/** The `requestHandler` of a KMSClient that stays inside the process: the SDK's contract `HttpHandler`. */
export class LocalRequestHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };

  constructor(private readonly wire: Wire) {}

  async handle(
    { method, headers, body }: SdkRequest,
    { abortSignal }: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: HttpResponse }> {
    const signal = abortSignal as AbortSignal | undefined;
    if (signal?.aborted === true) throw requestAborted(signal.reason);
    // A string in older versions of the SDK.
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body as Uint8Array);
    return { response: await this.wire.answer({ method, headers, body: bytes }, signal) };
  }

  /** There is no connection to configure. */
  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  /** There is nothing to destroy: a LocalKms may have many clients, and outlives them. */
  destroy(): void {}
}

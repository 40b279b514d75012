import { withDeadline, within } from '../async/deadline.js';
import { JwksUnavailableError } from '../errors/errors.js';
import { fetchFailureOf } from './fetch-failure.js';

/** A longer document is refused: a key set of this length would contain thousands of keys. */
const MAX_BYTES = 262_144;

/** A document, and the response headers, which say how long it is fresh. */
export interface FetchedJson {
  readonly json: unknown;
  readonly headers: Headers;
}

/** Fetches JSON from a URL of the issuer, within bounds of time and size. */
export class JsonFetcher {
  /** The URL as messages show it: its query may contain a secret. */
  private readonly shownUri: string;

  /**
   * @param uri an https URL, or another one that the options allow
   * @param subject the subject of the messages, such as `key set`
   */
  constructor(
    private readonly uri: string,
    private readonly subject: string,
    private readonly fetcher: typeof fetch,
  ) {
    const { origin, pathname } = new URL(uri);
    this.shownUri = origin + pathname;
  }

  /**
   * @param read converts the document to the result; it is not called once the time is up
   * @param timeLeft the time limit in milliseconds
   * @throws JwksUnavailableError
   */
  async fetch<Result>(
    headers: Record<string, string>,
    read: (fetched: FetchedJson) => Result,
    timeLeft: number,
  ): Promise<Result> {
    const timeout = Math.max(1, Math.ceil(timeLeft));
    const timeoutError = (blockedMs: number) =>
      this.unavailable(`it did not answer ${within(timeout, blockedMs)}`);
    return withDeadline(({ signal }) => this.fetchWithin(signal, headers, read), timeout, timeoutError);
  }

  unavailable(problem: string, cause?: Error): JwksUnavailableError {
    return new JwksUnavailableError(`The ${this.subject} ${this.shownUri} is unavailable: ${problem}`, {
      cause,
    });
  }

  private async fetchWithin<Result>(
    signal: AbortSignal,
    headers: Record<string, string>,
    read: (fetched: FetchedJson) => Result,
  ): Promise<Result> {
    try {
      // Redirects are not followed: an open one on the issuer's host would let others supply the keys.
      const response = await this.fetcher(this.uri, { signal, redirect: 'manual', headers });
      if (!response.ok) {
        // An unread body would hold its connection.
        await response.body?.cancel();
        throw this.unavailable(problemOf(response.status));
      }
      const json: unknown = JSON.parse(await this.readText(response));
      // The timeout may have passed while the body was read: an answer that is too late must not drop a key.
      signal.throwIfAborted();
      return read({ json, headers: response.headers });
    } catch (error) {
      if (error instanceof JwksUnavailableError) throw error;
      const { problem, cause } = fetchFailureOf(error);
      throw this.unavailable(problem, cause);
    }
  }

  private async readText(response: Response): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > MAX_BYTES) throw this.unavailable(`it has more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

function problemOf(status: number): string {
  const isRedirect = status >= 300 && status < 400;
  return `it answered ${status}${isRedirect ? ', and redirects are not followed; use the URL that it redirects to' : ''}`;
}

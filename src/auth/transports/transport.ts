import type { ExecutionContext } from '@nestjs/common';
import type { KmsJwtError } from '../../errors/errors.js';
import type { TokenCarrier } from '../../options/kms-jwt.options.js';

/** What the guard has to know of one way into an app. */
export interface Transport {
  /** Where the token may be: a request, or several things that make one up, such as a handshake and its parameters. */
  carriersOf(context: ExecutionContext): TokenCarrier[];
  /** The object that the property `user` is set on. */
  requestOf(context: ExecutionContext): object;
  /** What belongs to this one call; `requestOf` where nothing is closer. */
  callOf(context: ExecutionContext): object;
  /** Whether a call goes through further handlers that no guard is asked for: they have the claims of the first. */
  hasNestedHandlers?: boolean;
  /** The error in the form that this transport passes on to its client. */
  refuse(error: KmsJwtError, context: ExecutionContext): Error | Promise<Error>;
  /** Passes on what cannot be thrown, and then never returns; absent where everything can. */
  deliver?(thrown: unknown, context: ExecutionContext): Promise<unknown>;
}

/** A client that sends more names than this has something else in mind. */
const MAX_HEADERS = 100;

/** Headers under lower-case names, from any record, with all values of names that differ in case; only text and bytes. */
export function headersFrom(record: unknown): TokenCarrier['headers'] {
  if (typeof record !== 'object' || record === null) return {};
  const headers: TokenCarrier['headers'] = Object.create(null) as TokenCarrier['headers'];
  const entries = Object.entries(record);
  if (entries.length > MAX_HEADERS) return headers;
  for (const [name, value] of entries) {
    const text = Array.isArray(value) ? value.map(textOf).filter(isText) : textOf(value);
    const key = name.toLowerCase();
    if (text === undefined) continue;
    const values = [headers[key] ?? [], text].flat();
    // A lone value as a string, as Node has it: extractors written for HTTP look for that.
    headers[key] = values.length === 1 ? values[0] : values;
  }
  return headers;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString() : undefined;
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}

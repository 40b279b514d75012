import type { ExecutionContext } from '@nestjs/common';
import type { KmsJwtError } from '../../errors.js';
import type { TokenCarrier } from '../../kms-jwt.options.js';

/** What the guard has to know of one way into an app. */
export interface Transport {
  /** Where the token may be: a request, or several things that make one up, such as a handshake and its parameters. */
  carriersOf(context: ExecutionContext): TokenCarrier[];
  /** The object that the property `user` is set on. */
  requestOf(context: ExecutionContext): object;
  /** What belongs to this one call, for `@Claims()` to read from; `requestOf` where nothing is closer. */
  callOf(context: ExecutionContext): object;
  /** The error in the form that this transport passes on to its client. */
  refuse(error: KmsJwtError, context: ExecutionContext): Error | Promise<Error>;
}

/** Headers under lower-case names, from any record, with all values of names that differ in case; only text and bytes. */
export function headersFrom(record: unknown): TokenCarrier['headers'] {
  if (typeof record !== 'object' || record === null) return {};
  const headers: TokenCarrier['headers'] = Object.create(null) as TokenCarrier['headers'];
  for (const [name, value] of Object.entries(record)) {
    const text = Array.isArray(value) ? value.map(textOf).filter(isText) : textOf(value);
    const key = name.toLowerCase();
    if (text !== undefined) headers[key] = key in headers ? [headers[key] ?? [], text].flat() : text;
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

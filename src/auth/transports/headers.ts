import type { TokenCarrier } from '../../options/kms-jwt.options.js';

/** Records with more names are ignored; lists are truncated to this length. */
const MAX_HEADERS = 100;

/** Records with too many names, which a client can send. They are remembered so that its later calls do not enumerate them again. */
const floods = new WeakSet<object>();

/**
 * Headers by lower-case name, from any record; strings and bytes only. The values of names that differ only in case are
 * combined. The record is read again for each call, because the app may have changed it.
 *
 * @param except a name to leave out
 */
export function headersFrom(record: unknown, except?: string): TokenCarrier['headers'] {
  const headers: TokenCarrier['headers'] = Object.create(null) as TokenCarrier['headers'];
  if (typeof record !== 'object' || record === null || floods.has(record)) return headers;
  const names = Object.keys(record).filter((name) => name !== except);
  if (names.length > MAX_HEADERS) {
    floods.add(record);
    return headers;
  }
  for (const name of names) {
    const values = valuesOf((record as Record<string, unknown>)[name]);
    if (values === undefined) continue;
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? values : [headers[key], values].flat();
  }
  return headers;
}

/** A single value as a string, as in Node's headers: extractors written for HTTP expect that. */
function valuesOf(value: unknown): string | string[] | undefined {
  if (!Array.isArray(value)) return stringOf(value);
  const strings = value.slice(0, MAX_HEADERS).map(stringOf).filter(isString);
  return strings.length === 1 ? strings[0] : strings;
}

function stringOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString() : undefined;
}

function isString(value: string | undefined): value is string {
  return value !== undefined;
}

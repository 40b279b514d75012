import type { TokenCarrier } from '../../options/kms-jwt.options.js';

/** Records with more names are ignored; lists are truncated to this length. */
const MAX_HEADERS = 100;

/** The records with too many names, such as a client can send. Each of its calls would have to enumerate them again. */
const floods = new WeakSet<object>();

/**
 * Headers by lower-case name, from any record, with all values of names that differ in case; strings and bytes only. The
 * record is read anew for each call, as the app may have changed it.
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

/** A lone value as a string, as Node has it: extractors written for HTTP expect that. */
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

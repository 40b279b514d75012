import type { TokenCarrier } from '../../options/kms-jwt.options.js';

/** A record with more names than this is ignored: it is no set of headers. */
const MAX_HEADERS = 100;

/** Headers by lower-case name, from any record, with all values of names that differ in case; strings and bytes only. */
export function headersFrom(record: unknown): TokenCarrier['headers'] {
  if (typeof record !== 'object' || record === null) return {};
  const headers: TokenCarrier['headers'] = Object.create(null) as TokenCarrier['headers'];
  const entries = Object.entries(record);
  if (entries.length > MAX_HEADERS) return headers;
  for (const [name, value] of entries) {
    const string = Array.isArray(value) ? value.map(stringOf).filter(isString) : stringOf(value);
    const key = name.toLowerCase();
    if (string === undefined) continue;
    const values = [headers[key] ?? [], string].flat();
    // A lone value as a string, as Node has it: extractors written for HTTP expect that.
    headers[key] = values.length === 1 ? values[0] : values;
  }
  return headers;
}

function stringOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString() : undefined;
}

function isString(value: string | undefined): value is string {
  return value !== undefined;
}

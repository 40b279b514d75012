import { types } from 'node:util';

export const MISTAKABLE = 'must not contain a member named __proto__ or a name that JSON must escape';

/**
 * Whether a reader may mistake a member of this name for another: merging objects treats `__proto__` as the prototype, and
 * V8 from 12.8 on may read a name with an escape as an earlier name with a backslash (nodejs/node#63785).
 */
export function isMistakable(name: string): boolean {
  if (PLAIN_NAME.test(name)) return name === '__proto__';
  return JSON.stringify(name).length > name.length + QUOTES;
}

/** A name without characters that JSON may have to escape. */
const PLAIN_NAME = /^[\w.:/ -]*$/;

const QUOTES = 2;
const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];

/**
 * Reads JSON that means the same to every reader (RFC 7515, section 4): of two members with the same name, JSON.parse
 * keeps the last and other parsers the first.
 *
 * @throws SyntaxError for duplicate member names, mistakable ones and invalid JSON
 */
export function parseUnambiguousJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  const hasEscapes = json.includes('\\');
  const colons = hasEscapes ? countColons(json) : countColonsBetweenQuotes(json);
  if (countMembers(value, hasEscapes) !== colons) throw new SyntaxError('Duplicate member name');
  return value;
}

/** Not recursive: JSON.parse accepts more levels than the stack has. */
function countMembers(value: unknown, hasEscapes: boolean): number {
  let members = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (typeof one !== 'object' || one === null) continue;
    if (!Array.isArray(one)) {
      const names = Object.keys(one);
      // Without an escape in the text, no name is one that JSON must escape.
      const isBad = hasEscapes ? names.some(isMistakable) : names.includes('__proto__');
      if (isBad) throw new SyntaxError('Mistakable member name');
      members += names.length;
    }
    for (const member of Object.values(one)) if (typeof member === 'object') open.push(member);
  }
  return members;
}

/** Counts the colons outside of strings: each member has one. */
function countColons(json: string): number {
  let colons = 0;
  let isInString = false;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) isInString = !isInString;
    else if (code === BACKSLASH) at += 1;
    else if (code === COLON && !isInString) colons += 1;
  }
  return colons;
}

/** The same for valid JSON without escapes: a search skips each string, which is faster. */
function countColonsBetweenQuotes(json: string): number {
  let colons = 0;
  let at = 0;
  while (at < json.length) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = json.indexOf('"', at + 1);
    else if (code === COLON) colons += 1;
    at += 1;
  }
  return colons;
}

/** Uses the rule of lodash and jsonwebtoken, which also accepts objects of another realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * What JSON.stringify would silently change or drop, as a problem for a KmsJwtOptionsError; undefined if it would not.
 * Members that are undefined count as left out.
 */
export function lossInJson(value: unknown): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : 'must not contain NaN or Infinity';
  if (types.isDate(value)) return 'must not contain a Date: use seconds since 1970 or a string';
  if (Array.isArray(value)) return firstLoss(value);
  if (!isPlainObject(value) || typeof value['toJSON'] === 'function') {
    return 'must contain only strings, numbers, booleans, null, arrays and plain objects';
  }
  if (Object.keys(value).some(isMistakable)) return MISTAKABLE;
  return firstLoss(Object.values(value).filter((member) => member !== undefined));
}

function firstLoss(values: unknown[]): string | undefined {
  for (const value of values) {
    const loss = lossInJson(value);
    if (loss) return loss;
  }
  return undefined;
}

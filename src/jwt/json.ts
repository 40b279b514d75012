import { types } from 'node:util';

export const MISTAKABLE = 'must not hold a member called __proto__, or by characters that JSON has to escape';

/**
 * Whether a reader may take a member of this name for another: a merge of objects takes `__proto__` for the prototype, and
 * V8 from 12.8 on may take a name that is written with an escape for one with a backslash that it has read before
 * (nodejs/node#63785).
 */
export function isMistakable(name: string): boolean {
  return name === '__proto__' || JSON.stringify(name).length > name.length + QUOTES;
}

const QUOTES = 2;
const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];

/**
 * Reads JSON that says one thing to every reader (RFC 7515, section 4): JSON.parse keeps the last of two members of one
 * name, where others keep the first.
 *
 * @throws SyntaxError for a member that stands twice in its object, one that may be taken for another, and what is not JSON
 */
export function parseUnambiguousJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (countMembers(value) !== countColons(text)) throw new SyntaxError('A member stands twice');
  return value;
}

/** Not recursive: JSON.parse takes more levels than the stack has. */
function countMembers(value: unknown): number {
  let members = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (typeof one !== 'object' || one === null) continue;
    if (!Array.isArray(one)) {
      const names = Object.keys(one);
      if (names.some(isMistakable)) throw new SyntaxError('A member may be taken for another');
      members += names.length;
    }
    for (const member of Object.values(one)) open.push(member);
  }
  return members;
}

/** Those outside of strings: each member has one. */
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

/** Told as lodash and jsonwebtoken do, for objects of another realm too. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * What JSON.stringify would change or drop without a word, to follow the name of what holds it; undefined where JSON says
 * all of it. A member of an object that is undefined counts as left out.
 */
export function lossInJson(value: unknown): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'must not hold NaN or Infinity';
  if (types.isDate(value)) return 'must not hold a Date: give seconds since 1970, or a string';
  if (Array.isArray(value)) return firstLoss(value);
  if (!isPlainObject(value) || typeof value['toJSON'] === 'function') {
    return 'must hold nothing but strings, numbers, booleans, null, arrays and plain objects';
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

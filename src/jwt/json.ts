import { types } from 'node:util';

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
  return firstLoss(Object.values(value).filter((member) => member !== undefined));
}

function firstLoss(values: unknown[]): string | undefined {
  for (const value of values) {
    const loss = lossInJson(value);
    if (loss) return loss;
  }
  return undefined;
}

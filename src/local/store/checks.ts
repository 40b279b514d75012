/**
 * The error for an unknown or invalid option, property or member of a file.
 *
 * @param where its path, as it starts the message
 * @param problem the rest of the sentence, without the full stop
 */
export function checkError(where: string, problem: string): TypeError {
  return new TypeError(`${where} ${problem}.`);
}

/** Reads `value` as an object whose properties are all among `names`. @throws TypeError otherwise */
export function checkObject(
  value: unknown,
  where: string,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw checkError(where, 'must be an object');
  }
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw checkError(`${where}.${unknown}`, `is unknown; the known properties are ${names.join(', ')}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Reads `value` as an array. @throws TypeError otherwise */
export function checkArray(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw checkError(where, 'must be an array');
  return value;
}

/** Reads `value` as one of `choices`. @throws TypeError otherwise */
export function checkChoice<T extends string>(value: unknown, where: string, choices: readonly T[]): T {
  if (!choices.includes(value as T)) throw checkError(where, `must be one of ${choices.join(', ')}`);
  return value as T;
}

/**
 * Reads `value` as a string that matches `pattern`.
 *
 * @param shape the pattern in words, for the message
 * @throws TypeError otherwise
 */
export function checkString(value: unknown, where: string, shape: string, pattern?: RegExp): string {
  if (typeof value !== 'string' || pattern?.test(value) === false) {
    throw checkError(where, `must be ${shape}`);
  }
  return value;
}

/** Reads `value` as an integer from `min` to `max`. @throws TypeError otherwise */
export function checkInteger(value: unknown, where: string, min: number, max: number): number {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw checkError(where, `must be an integer from ${min} to ${max}`);
  }
  return value as number;
}

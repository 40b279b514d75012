// Reads and checks any options object by its rules.
import { KmsJwtOptionsError } from '../errors/errors.js';
import { closest } from './closest.js';
import { isObject, type Rules } from './option-rules.js';

/**
 * Copies the options that are set, and checks each by its rule. An option that is refused, such as an inherited `audience`,
 * would otherwise be lost in the copy, and a check would be silently missing.
 *
 * @param path the prefix of the names in messages, such as `verifyOptions.`; empty at the top level
 * @param refusesUndefined whether an option must not be undefined; other undefined options count as left out
 * @param takenElsewhere options that are valid elsewhere, to suggest for a mistyped name
 * @throws KmsJwtOptionsError for the first option that is unknown, undefined, inherited or of the wrong type
 */
export function readOptions<Options extends object>(
  path: string,
  given: Options,
  rules: Partial<Rules<Options>>,
  refusesUndefined: (option: string) => boolean,
  takenElsewhere: readonly string[] = [],
): Options {
  if (!isOptionsObject(given)) {
    throw new KmsJwtOptionsError(
      path.replace(/\.$/, '') || 'options',
      'must be an object of options, not a promise, a Map or an array',
    );
  }
  refuseHidden(path, given, rules);
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined && !refusesUndefined(name)) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof Options] : undefined;
    if (!rule) throw unknownOption(path + name, name, [...Object.keys(rules), ...takenElsewhere]);
    const [accepts, expected] = rule;
    if (value === undefined) {
      throw new KmsJwtOptionsError(
        path + name,
        `is undefined: leave it out, or set it to ${expected.replace('must be ', '')}`,
      );
    }
    if (!accepts(value)) throw new KmsJwtOptionsError(path + name, expected);
    read[name] = value;
  }
  return read as Options;
}

function unknownOption(path: string, name: string, known: readonly string[]): KmsJwtOptionsError {
  const meant = closest(name, known);
  const list = `the known options are ${known.join(', ')}`;
  return new KmsJwtOptionsError(
    path,
    meant === undefined ? `is unknown: ${list}` : `is unknown: did you mean ${meant}? (${list})`,
  );
}

/** @throws KmsJwtOptionsError for a known option that a copy of the object would lose */
export function refuseHidden(path: string, given: object, rules: object): void {
  for (const name of Object.keys(rules)) {
    if (!(name in given) || Object.prototype.propertyIsEnumerable.call(given, name)) continue;
    // A property that something has added to Object.prototype is not a mistake in the options.
    if (!Object.hasOwn(given, name) && name in Object.prototype) continue;
    const problem = Object.hasOwn(given, name) ? 'not enumerable' : 'inherited';
    throw new KmsJwtOptionsError(path + name, `is ${problem}: options must be own, enumerable properties`);
  }
}

// A promise or a Map has no own properties: it would be read as empty options, which check nothing.
function isOptionsObject(value: unknown): value is object {
  return (
    isObject(value) && ['[object Object]', '[object Module]'].includes(Object.prototype.toString.call(value))
  );
}

import { readFile } from 'node:fs/promises';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { type Algorithm, namesOf } from '../jwt/algorithms.js';
import { keysIn, type VerificationKey } from '../jwt/jwk.js';

/** The keys of an issuer as another process fetched them. */
export interface KeySetSnapshot {
  readonly keys: readonly VerificationKey[];
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

const FORM = '{ "fetchedAt": "<ISO 8601 time>", "keys": [...] }';
const REMEDY = `when you build the app, write the key set into it as ${FORM}, or leave the snapshot out`;
/** With the time zone: a wrong one could make the keys hours younger. */
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Reads the file of the option `snapshot`.
 *
 * @param option the path of the option, for messages
 * @throws KmsJwtOptionsError with the remedy for a file that is missing, has another form or no key that can be used
 */
export async function readSnapshot(
  path: string,
  algorithms: readonly Algorithm[],
  option: string,
): Promise<KeySetSnapshot> {
  const refuse = (problem: string) => new KmsJwtOptionsError(option, `${problem}: ${REMEDY}`);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refuse(`(${path}) cannot be read (${error.code})`);
  });
  const { fetchedAt, ...keySet } = parse(text);
  if (typeof fetchedAt !== 'string' || !ISO_TIME.test(fetchedAt) || Number.isNaN(Date.parse(fetchedAt))) {
    throw refuse(`(${path}) does not say when it was fetched`);
  }
  const keys = keysIn(keySet, algorithms);
  if (keys.length === 0) throw refuse(`(${path}) contains no key for ${namesOf(algorithms)} with a kid`);
  return { keys, fetchedAt: Date.parse(fetchedAt) };
}

/** Empty unless the text is a JSON object. */
function parse(text: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(text) as object) };
  } catch {
    return {};
  }
}

import type { AlgorithmName, VerifyOptions } from 'nestjs-kms-jwt';
import { type Ability, abilitiesFor, type Case, optionsOf } from './support.js';

export interface Verifier {
  readonly name: string;
  readonly abilities: ReadonlySet<Ability>;
  readonly algorithms: ReadonlySet<AlgorithmName>;
  /** Throws, or rejects, where it refuses. */
  verify(token: unknown, options: VerifyOptions): unknown;
  /** Whether that is how it says no, by its own documentation. */
  isRefusal(error: unknown): boolean;
}

export type Verdict = 'accepted' | 'refused' | 'foreign error' | 'n/a';

export async function judge<K>(verifier: Verifier, one: Case<K>, keys: K): Promise<Verdict> {
  if (!abilitiesFor(one, keys).every((ability) => verifier.abilities.has(ability))) return 'n/a';
  const token = one.make(keys);
  try {
    await verifier.verify(token, optionsOf(one, keys));
    return 'accepted';
  } catch (error) {
    return verifier.isRefusal(error) ? 'refused' : 'foreign error';
  }
}

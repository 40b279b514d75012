import type { AlgorithmName, VerifyOptions } from 'nestjs-kms-jwt';
import { type Ability, abilitiesFor, type Case, optionsOf } from './support.js';

export interface Verifier {
  readonly name: string;
  readonly abilities: ReadonlySet<Ability>;
  readonly algorithms: ReadonlySet<AlgorithmName>;
  /** Throws or rejects to refuse a token. */
  verify(token: unknown, options: VerifyOptions): unknown;
  /** Whether this error is a documented refusal. */
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

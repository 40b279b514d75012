import type { Case } from './support.js';
import { judge, type Verdict, type Verifier } from './verifier.js';

export interface Tally {
  verifier: string;
  /** The number of cases that apply to the verifier. */
  cases: number;
  accepted: string[];
  validRefused: string[];
  foreignErrors: string[];
}

/** The verdicts of a verifier on hostile and valid cases. */
export async function tally<K>(
  verifier: Verifier,
  hostile: readonly Case<K>[],
  valid: readonly Case<K>[],
  keys: K,
): Promise<Tally> {
  const verdictsOf = async (cases: readonly Case<K>[]) => {
    const verdicts: [string, Verdict][] = [];
    for (const one of cases) verdicts.push([one.name, await judge(verifier, one, keys)]);
    return verdicts.filter(([, verdict]) => verdict !== 'n/a');
  };
  const onHostile = await verdictsOf(hostile);
  const onValid = await verdictsOf(valid);

  return {
    verifier: verifier.name,
    cases: onHostile.length + onValid.length,
    accepted: named(onHostile, (verdict) => verdict === 'accepted'),
    validRefused: named(onValid, (verdict) => verdict !== 'accepted'),
    foreignErrors: named([...onHostile, ...onValid], (verdict) => verdict === 'foreign error'),
  };
}

function named(verdicts: [string, Verdict][], wanted: (verdict: Verdict) => boolean): string[] {
  return verdicts.filter(([, verdict]) => wanted(verdict)).map(([name]) => name);
}

export function print(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   '));
  console.log(`\n${lines.join('\n')}\n`);
}

/** With SECURITY_DETAILS=1, prints the names of the cases. */
export function printDetails(tallies: readonly Tally[]): void {
  if (process.env['SECURITY_DETAILS']) console.log(JSON.stringify(tallies, null, 2));
}

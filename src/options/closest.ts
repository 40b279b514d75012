import { distance } from 'fastest-levenshtein';

const MIN_CONTAINED = 5;
const MAX_LENGTH = 40;
const MAX_EDITS = 3;

/** The name that an unknown one probably stands for: in another case, as a part of it, or with a few typing mistakes. */
export function closest(unknown: string, known: readonly string[]): string | undefined {
  if (unknown.length > MAX_LENGTH) return undefined;
  const allowed = Math.min(MAX_EDITS, Math.max(1, Math.floor(unknown.length * 0.3)));
  const candidates = known.map((name) => ({
    name,
    edits: editsBetween(name.toLowerCase(), unknown.toLowerCase()),
  }));
  const [best] = candidates
    .filter(({ edits }) => edits <= allowed)
    .toSorted((one, other) => one.edits - other.edits);
  return best?.name;
}

function editsBetween(a: string, b: string): number {
  const isPart = Math.min(a.length, b.length) >= MIN_CONTAINED && (a.includes(b) || b.includes(a));
  return isPart ? 1 : distance(a, b);
}

const MIN_CONTAINED = 5;
const MAX_LENGTH = 40;

/** The name that is probably meant by an unknown one: another case, a part of it, or up to two mistyped characters. */
export function closest(unknown: string, known: readonly string[]): string | undefined {
  if (unknown.length > MAX_LENGTH) return undefined;
  const allowed = unknown.length > MIN_CONTAINED ? 2 : 1;
  const candidates = known.map((name) => ({ name, distance: distanceOf(name, unknown) }));
  const [best] = candidates
    .filter(({ distance }) => distance <= allowed)
    .toSorted((one, other) => one.distance - other.distance);
  return best?.name;
}

function distanceOf(name: string, unknown: string): number {
  const [a, b] = [name.toLowerCase(), unknown.toLowerCase()];
  if (Math.min(a.length, b.length) >= MIN_CONTAINED && (a.includes(b) || b.includes(a))) return 1;
  return editDistance(a, b);
}

/** Insertions, deletions, substitutions, and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        valueAt(above, column) + 1,
        valueAt(current, column - 1) + 1,
        valueAt(above, column - 1) + (isSame ? 0 : 1),
        isSwap ? valueAt(twoAbove, column - 2) + 1 : Infinity,
      );
    }
    [twoAbove, above] = [above, current];
  }
  return valueAt(above, b.length);
}

function valueAt(row: number[], column: number): number {
  return row[column] ?? Infinity;
}

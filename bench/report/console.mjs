import { tableOf } from './table.mjs';

/** Prints the table of a section. */
export function printSection(section) {
  const { columns, rows } = tableOf(section);
  const lines = [columns, ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  console.log(`\n${section.title}`);
  for (const cells of lines) {
    console.log(
      cells
        .map((text, column) => text.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
  }
  for (const note of [...profilesOf(section), disturbanceOf(section)]) if (note !== '') console.log(note);
}

/** How many rounds were disturbed; empty if none was repeated. */
export function disturbanceOf({ rounds, repeated = 0, disturbed = 0 }) {
  if (repeated === 0) return '';
  const left = disturbed === 0 ? 'none' : String(disturbed);
  const verb = disturbed === 1 ? 'was' : 'were';
  return `Rounds repeated because the machine was busy: ${repeated}. Of the ${rounds} rounds that count, ${left} ${verb} disturbed.`;
}

/** The CPU profile of each contender that misses a target. */
export function profilesOf({ profiles = [] }) {
  return profiles.map(({ name, shares }) => {
    const parts = shares.map((one) => `${one.name} ${Math.round(100 * one.share)} %`);
    return `CPU time of ${name}: ${parts.join(', ')}.`;
  });
}

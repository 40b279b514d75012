/** The rows of the table under a heading, as the text of their cells. A row begins with code. */
export function rowsUnder(document: string, heading: string): string[][] {
  const section = document.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| `'));
  return lines.map((line) => line.split(' | ').map((cell) => cell.replace(/^\| |\s*\|$/g, '').trim()));
}

export const codeIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

/** Whether a line matches a pattern, in which … stands for any text. */
export function isPatternOf(line: string, pattern: string): boolean {
  const parts = pattern.split('…').map((text) => text.replace(/[^\w\s]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(line);
}

/** Whether a line matches one of the patterns of a cell. */
export function isListed(line: string, cell = ''): boolean {
  return codeIn(cell).some((pattern) => isPatternOf(line, pattern));
}

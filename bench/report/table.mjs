// The tables of a section: a heading and rows of cells, for the console and for Markdown.
import { figure, ratio, ratioWithSpread } from './figures.mjs';

/** @returns {{ columns: string[], rows: string[][] }} */
export function tableOf(section) {
  return TABLES[section.kind](section);
}

const TABLES = {
  comparison: comparisonTable,
  curves: curveTable,
  list: ({ columns, rows }) => ({ columns, rows: rows.map((row) => row.map(cell)) }),
};

/** Ratios come first, because they hold on other machines too. */
function comparisonTable({ metrics, reference, rows }) {
  const hasTargets = rows.some(({ targets }) => targets.length > 0);
  const columns = [
    '',
    ...metrics.map(({ title }) => `${title}, ratio`),
    ...metrics.map(({ title, unit }) => `${title}, ${unit}`),
    ...(hasTargets ? ['target'] : []),
  ];
  return {
    columns,
    rows: rows.map(({ name, figures, targets }) => [
      name,
      ...metrics.map((metric) => (name === reference ? '1' : ratioWithSpread(figures[metric.name].ratio))),
      ...metrics.map((metric) => figure(figures[metric.name].absolute.median)),
      ...(hasTargets ? [targets.map((target) => verdict(target, metrics)).join('; ')] : []),
    ]),
  };
}

function curveTable({ x, series }) {
  const points = [...new Set(series.flatMap((one) => one.points.map(([at]) => at)))].toSorted(
    (a, b) => a - b,
  );
  return {
    columns: [x.title, ...series.map(({ name }) => name)],
    rows: points.map((at) => [
      figure(at),
      ...series.map((one) => {
        const point = one.points.find(([other]) => other === at);
        return point === undefined ? '' : figure(point[1]);
      }),
    ]),
  };
}

/**
 * A target, and whether it was met.
 *
 * @param {ReturnType<typeof import('../targets.mjs').judge>} target
 * @param {readonly { name: string, title: string }[]} metrics
 */
export function verdict({ metric, bound, unit, to, value, isMet }, metrics) {
  const { title } = metrics.find(({ name }) => name === metric);
  const shown = unit === undefined ? ratio(value) : `${figure(value)} ${unit}`;
  // Otherwise a value that narrowly misses the bound would be rounded to it.
  const looksMet = !isMet && bound.endsWith(` ${shown}`);
  const wanted = `${title} ${bound}${unit === undefined ? '' : ` ${unit}`}`;
  const compared = to === undefined ? '' : ` of ${to}`;
  return `${wanted}${compared}: ${isMet ? 'met' : 'missed'} (${looksMet ? value.toFixed(3) : shown})`;
}

/** @param {{ columns: readonly string[], rows: readonly (readonly string[])[] }} table */
export function markdownTable({ columns, rows }) {
  return [columns, columns.map(() => '---'), ...rows].map(markdownLine).join('\n');
}

function markdownLine(cells) {
  return `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
}

function cell(value) {
  return typeof value === 'number' ? figure(value) : value;
}

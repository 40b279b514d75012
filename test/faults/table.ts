import type { Answer } from './load.js';

export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

export function millisecondsOf(answers: readonly Answer[], route: Answer['route']): number[] {
  return answers.filter((answer) => answer.route === route).map(({ milliseconds }) => milliseconds);
}

/** The columns of the table that describe the answers. */
export function describeAnswers(answers: readonly Answer[]) {
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  const middleAndSlow = (route: Answer['route']) => {
    const times = millisecondsOf(answers, route);
    return `${percentile(times, 50).toFixed(1)} / ${percentile(times, 99).toFixed(0)}`;
  };
  return {
    requests: answers.length,
    good: count(200),
    refused: count(503),
    other: answers.length - count(200) - count(503),
    slowest: Math.round(Math.max(...answers.map(({ milliseconds }) => milliseconds))),
    sign: middleAndSlow('sign'),
    verify: middleAndSlow('verify'),
  };
}

const COLUMNS = {
  fault: 'fault',
  requests: 'requests',
  good: '200',
  refused: '503',
  other: 'other',
  slowest: 'slowest ms',
  late: 'measured late by',
  starved: 'starved ms',
  connections: 'connections',
  sign: 'sign p50 / p99',
  verify: 'verify p50 / p99',
  verified: 'tokens verified',
  recovery: 'recovery ms',
  heap: 'heap MB',
  handles: 'handles',
  verdict: 'verdict',
};

export type Row = Partial<Record<keyof typeof COLUMNS, string | number>>;

export function printed(rows: readonly Row[]): string {
  const names = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
  const lines = [COLUMNS, ...rows].map((row) => names.map((name) => String(row[name] ?? '')));
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const pad = (line: string[]) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return `\n${lines.map(pad).join('\n')}\n`;
}

import { expect, test } from 'vitest';
import { readArguments } from '../../bench/arguments.mjs';
import { markdownTable, tableOf, verdict } from '../../bench/report/table.mjs';
import { judge } from '../../bench/targets.mjs';

const RATE = { name: 'rate', title: 'rate', unit: '1/s', isHigherBetter: true };
const rounds = [
  { control: 10, figures: { raw: { rate: 1000 }, library: { rate: 900 }, jose: { rate: 600 } } },
  { control: 10, figures: { raw: { rate: 1000 }, library: { rate: 950 }, jose: { rate: 500 } } },
  { control: 10, figures: { raw: { rate: 1000 }, library: { rate: 920 }, jose: { rate: 940 } } },
];

test.each([
  [{ atLeast: 0.92 }, { value: 0.92, isMet: true }],
  [{ atLeast: 0.93 }, { value: 0.92, isMet: false }],
  [{ atMost: 0.92 }, { value: 0.92, isMet: true }],
  [{ atMost: 0.91 }, { value: 0.92, isMet: false }],
  [
    { atMost: 920, unit: 'ms' },
    { value: 920, isMet: true },
  ],
])('a target %j is compared with the median of the rounds', (bound, expected) => {
  expect(judge(rounds, 'raw', { contender: 'library', metric: 'rate', ...bound })).toMatchObject(expected);
});

test('a target relative to several contenders is compared with the best of them', () => {
  const target = { contender: 'library', metric: 'rate', atLeast: 0.99, to: ['jose', 'raw'] };
  expect(judge(rounds, 'library', target)).toMatchObject({ to: 'raw', value: 0.92, isMet: false });
});

test('a table has ratios first, then absolute figures, then the targets', () => {
  const section = {
    kind: 'comparison',
    metrics: [RATE],
    reference: 'raw',
    rows: [
      { name: 'raw', figures: { rate: figuresOf(1, 12_345.6) }, targets: [] },
      {
        name: 'library',
        figures: { rate: { ...figuresOf(0.93, 11_481), ratio: { median: 0.93, q1: 0.91, q3: 0.94 } } },
        targets: [
          { metric: 'rate', bound: '≥ 0.92', value: 0.93, isMet: true },
          { metric: 'rate', bound: '≥ 0.99', to: 'jose', value: 0.98, isMet: false },
        ],
      },
    ],
  };
  expect(markdownTable(tableOf(section)).split('\n')).toEqual([
    '|  | rate, ratio | rate, 1/s | target |',
    '| --- | --- | --- | --- |',
    '| raw | 1 | 12,346 |  |',
    '| library | 0.93 (0.91 to 0.94) | 11,481 | rate ≥ 0.92: met (0.93); rate ≥ 0.99 of jose: missed (0.98) |',
  ]);
});

test('a target that is just missed does not look met', () => {
  const target = { contender: 'library', metric: 'rate', bound: '≥ 0.92', value: 0.9167, isMet: false };
  expect(verdict({ ...target, unit: undefined, to: undefined }, [RATE])).toBe('rate ≥ 0.92: missed (0.917)');
});

test('the table of curves has a row for each point', () => {
  const series = [
    {
      name: 'RSS',
      points: [
        [0, 80.123],
        [10_000, 95],
      ],
    },
    { name: 'heap', points: [[0, 20]] },
  ];
  expect(tableOf({ kind: 'curves', x: { title: 'tokens' }, series })).toEqual({
    columns: ['tokens', 'RSS', 'heap'],
    rows: [
      ['0', '80.1', '20'],
      ['10,000', '95', ''],
    ],
  });
});

test('the command line accepts parts in any order, and --short', () => {
  expect(readArguments([])).toEqual({ short: false, parts: ['verify', 'guard', 'sign', 'start', 'growth'] });
  expect(readArguments(['sign', '--short', 'verify'])).toEqual({ short: true, parts: ['verify', 'sign'] });
  expect(() => readArguments(['verfy'])).toThrow('verfy is not one of: --short, verify, guard');
});

function figuresOf(ratio: number, absolute: number) {
  return {
    ratio: { median: ratio, q1: ratio, q3: ratio },
    absolute: { median: absolute, q1: absolute, q3: absolute },
  };
}

import { expect, test } from 'vitest';
import { disturbedRounds, ratioOf, runRounds } from '../../bench/rounds.mjs';

type Figures = Record<string, { rate: number }>;
const round = (figures: Figures, control = 10) => ({ control, figures });
const steadyRound = (control = 10, rate = 100) => round({ raw: { rate }, library: { rate } }, control);
const quiet = () => Promise.resolve(10);

test('a ratio is the median of the ratios of the rounds, not the ratio of the medians', () => {
  // In the second round the machine is twice as fast; in the third the library is as fast as the reference.
  const rounds = [
    round({ raw: { rate: 100 }, library: { rate: 90 } }),
    round({ raw: { rate: 200 }, library: { rate: 180 } }),
    round({ raw: { rate: 150 }, library: { rate: 150 } }),
  ];
  expect(ratioOf(rounds, 'rate', 'library', 'raw')).toEqual({ median: 0.9, q1: 0.9, q3: 0.95 });
});

test.each([
  ['as usual', 'not disturbed', steadyRound()],
  ['with a control that took 10 % longer', 'not disturbed', steadyRound(11)],
  ['with a control that took more than 10 % longer', 'disturbed', steadyRound(11.1)],
  ['with a reference that was more than 10 % slower', 'disturbed', steadyRound(10, 89)],
  ['with a reference that was more than 10 % faster', 'disturbed', steadyRound(10, 111)],
])('a round %s is %s', (_, verdict, last) => {
  const rounds = [steadyRound(), steadyRound(), steadyRound(), last];
  expect(disturbedRounds(rounds, 'raw', 'rate')).toEqual(verdict === 'disturbed' ? [3] : []);
});

test('every contender runs once in each round, and each round starts with another contender', async () => {
  const ran: string[] = [];
  const contenders = ['raw', 'library', 'jose'].map((name) => ({
    name,
    run: () => {
      ran.push(name);
      return Promise.resolve({ rate: 100 });
    },
  }));
  await runRounds(contenders, { rounds: 3, steady: 'rate', control: quiet });
  expect(ran).toEqual(['raw', 'library', 'jose', 'library', 'jose', 'raw', 'jose', 'raw', 'library']);
});

test('a disturbed round is repeated, and the repetition counts instead', async () => {
  const rates = [100, 50, 100, 102];
  const contender = { name: 'raw', run: () => Promise.resolve({ rate: rates.shift() ?? 0 }) };
  const { rounds, repeated, disturbed } = await runRounds([contender], {
    rounds: 3,
    steady: 'rate',
    control: quiet,
  });
  expect(rounds.map(({ figures }) => figures.raw?.rate)).toEqual([100, 102, 100]);
  expect({ repeated, disturbed }).toEqual({ repeated: 1, disturbed: 0 });
});

test('on a busy machine rounds are repeated up to maxRepeats, and the result counts those still disturbed', async () => {
  let calls = 0;
  const contender = {
    name: 'raw',
    run: () => {
      calls += 1;
      return Promise.resolve({ rate: 2 ** calls });
    },
  };
  const options = { rounds: 4, steady: 'rate', control: quiet, maxRepeats: 2 };
  const { repeated, disturbed } = await runRounds([contender], options);
  expect({ calls, repeated, disturbed }).toEqual({ calls: 6, repeated: 2, disturbed: 4 });
});

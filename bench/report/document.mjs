// The text of docs/benchmarks.md.
import { CLAIM_BYTES } from '../tokens.mjs';
import { disturbanceOf, profilesOf } from './console.mjs';
import { markdownTable, tableOf } from './table.mjs';

const HOW = `# Benchmarks

\`npm run bench\` writes this document, and \`npm run bench -- verify\` measures one part again. The table below shows how long each
part took. All figures are also in \`bench/results.json\`.

- **Rounds.** Each contender runs once in each round. A ratio compares a contender with the reference in the same round. The
  tables show the median of these ratios over all rounds, with the quartiles in brackets, and the median of each absolute figure,
  which may come from another round. Ratios come first, because absolute figures depend on the machine.
- **Control.** Before and after each round, a fixed amount of work is timed on every core. A round is repeated if this work took
  over 10 % longer than usual, or if the reference was over 10 % off its median. The number of repetitions is at
  most a third of the number of rounds, rounded up. A note under the table reports them, and how
  many of the rounds that count are still over these limits (disturbed).
- **Tokens.** ES256 (P-256), ${CLAIM_BYTES} bytes of claims. All contenders except \`crypto.verify\` check the algorithm, the issuer, the
  audience and \`exp\`.
- **Contenders.** The newest versions, each in its fastest correct configuration. Before it is timed, each has to accept a valid
  token and refuse a forged one. All except \`crypto.verify\` also have to refuse an expired token, a token of another issuer and a
  token for another audience.
- **Missed targets.** If a contender misses a target, a line under the table shows how its CPU time is distributed over packages.
  The profile is taken in a separate run, which is not timed.`;

const PARTS = {
  verify: [
    'Verify',
    'All contenders run in one process. The reference is `crypto.verify`, which only checks the signature.',
  ],
  guard: [
    'Guard',
    'A Nest server on Express runs in one process, and its clients run in another. The routes differ only in their guard. The reference is a guard that admits every request.',
  ],
  sign: [
    'Sign',
    'The reference is what an app does without a library: it encodes the claims in base64url, sends `SignCommand` with the AWS SDK, and converts the signature from DER to the JOSE format. Unlike this library, it does not verify the signature.',
  ],
  start: ['Start', ''],
  growth: [
    'Growth',
    'How time and memory grow with the number of keys, claims, calls, tokens and refreshes: medians of interleaved rounds.',
  ],
};

/**
 * @param {object} results the content of bench/results.json
 * @param {Record<string, string>} charts file names, by the id of their section
 */
export function documentOf({ parts }, charts) {
  return [
    HOW,
    machines(parts),
    ...Object.entries(parts).map(([name, part]) => partText(name, part, charts)),
  ].join('\n\n');
}

function machines(parts) {
  return markdownTable({
    columns: ['part', 'command', 'machine', 'Node.js', 'date', 'seconds'],
    rows: Object.entries(parts).map(([name, { machine, node, date, seconds }]) => [
      PARTS[name][0],
      `\`npm run bench -- ${name}\``,
      machine,
      node,
      date.slice(0, 10),
      String(seconds),
    ]),
  });
}

function partText(name, { sections }, charts) {
  const [title, text] = PARTS[name];
  return [`## ${title}`, text, ...sections.map((section) => sectionText(section, charts, title))]
    .filter((paragraph) => paragraph !== '')
    .join('\n\n');
}

function sectionText(section, charts, part) {
  const chart = charts[section.id];
  // A part with one section of the same name needs no second heading.
  return [
    section.title === part ? '' : `### ${part}: ${section.title}`,
    section.text,
    markdownTable(tableOf(section)),
    profilesOf(section).join('\n'),
    disturbanceOf(section),
    chart === undefined ? '' : `![${section.title}](benchmarks/${chart})`,
  ]
    .filter((paragraph) => paragraph !== '')
    .join('\n\n');
}

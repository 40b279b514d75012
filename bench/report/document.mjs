// docs/benchmarks.md: what was measured, between text that explains how.
import { CLAIM_BYTES } from '../tokens.mjs';
import { disturbanceOf, profilesOf } from './console.mjs';
import { markdownTable, tableOf } from './table.mjs';

const HOW = `# Benchmarks

This document is written by \`npm run bench\`. The table below says how long each part took. \`npm run bench -- verify\` measures
one part anew. All figures are also in \`bench/results.json\`.

- **Rounds.** In each round every contender runs once, in turn. A ratio compares a contender with the reference of the same
  round. The tables show the median of these ratios over all rounds, and the quartiles in brackets. Ratios come first:
  absolute figures belong to the machine.
- **Control.** Before and after each round the same work is timed on every core. A round in which it took over 10 % longer
  than usual, or in which the reference was over 10 % off its median, is repeated, up to a third as many times as there are
  rounds. Where that happened, it is noted under the table.
- **Tokens.** ES256 (P-256), ${CLAIM_BYTES} bytes of claims. All contenders but \`crypto.verify\` check the algorithm, the issuer, the
  audience and \`exp\`.
- **Contenders.** The newest versions, each in its fastest set-up that is correct. Before it is timed, each has to accept a
  valid token, and to refuse a forged one, an expired one, and those of another issuer and for another audience.
- **Missed targets.** Under a table, a profile says what a contender that misses a target spends its CPU time on, by package. It is
  taken in a run of its own, which is not timed.`;

const PARTS = {
  verify: [
    'Verify',
    'All contenders run in one process. The reference is the signature alone, by `crypto.verify`.',
  ],
  guard: [
    'Guard',
    'A Nest server on Express in one process, and its clients in another. The routes differ by their guard alone. The reference is a guard that admits everybody.',
  ],
  sign: [
    'Sign',
    'The reference is what an app writes without a library: the claims in base64url, `SignCommand` of the AWS SDK, and the signature from DER to JOSE. It does not verify the signature, as this library does.',
  ],
  start: ['Start', ''],
  growth: ['Growth', 'The same in larger numbers: medians of interleaved rounds.'],
};

/**
 * @param {object} results those of bench/results.json
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
  // The one section of a part needs no heading of the same name.
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

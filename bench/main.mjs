// Runs the benchmarks and writes their results: npm run bench -- [--short] [part …]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { readArguments } from './arguments.mjs';
import { describeMachine } from './machine.mjs';
import { printSection } from './report/console.mjs';
import { addParts, readResults } from './results.mjs';
import { writeReport } from './report/report.mjs';

const { short, parts } = readArguments(process.argv.slice(2));
const measured = {};
for (const part of parts) {
  console.log(`\n== ${part}`);
  const startedAt = performance.now();
  const sections = await runPart(part, short);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  for (const section of sections) printSection(section);
  console.log(`== ${part}: ${seconds} s`);
  measured[part] = { ...describeMachine(), date: new Date().toISOString(), seconds, sections };
}
// The figures of the short version are too imprecise to keep.
if (!short) await writeReport(addParts(await readResults(), measured));

/** @throws Error (rejects with) if a contender does not verify, or a part fails */
async function runPart(part, isShort) {
  const program = fileURLToPath(new URL('part.mjs', import.meta.url));
  const child = fork(program, [part, isShort ? 'short' : 'full'], {
    execArgv: ['--expose-gc'],
    // Otherwise the SDK prints its advice to upgrade Node.js between the tables.
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  let sections;
  child.on('message', (message) => {
    sections = message.sections;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0 || sections === undefined) throw new Error(`The part ${part} failed`);
  return sections;
}

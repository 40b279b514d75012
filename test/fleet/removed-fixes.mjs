// Removes one fix from src/ at a time, and expects the simulation to find the defect: npm run test:fleet:removed-fixes [NAME...]
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const patches = join(import.meta.dirname, 'removed-fixes');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const run = promisify(execFile);

/** The defect must be found within so many schedules. */
const SCHEDULES = 1000;
const ENVIRONMENT = { FLEET_SCHEDULES: SCHEDULES, FLEET_SIZE: 8, FLEET_SEED: 1, FLEET_SHRINK: 'no' };
const PARALLEL = 2;

const wanted = process.argv.slice(2);
const names = readdirSync(patches)
  .map((file) => basename(file, '.patch'))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
if (names.length === 0) throw new Error(`No patch in ${patches} has this name`);

await Promise.all(Array.from({ length: PARALLEL }, worker));

async function worker() {
  for (let name = names.shift(); name; name = names.shift()) {
    const problem = await find(name);
    console.log(`${name}: ${problem.text}`);
    if (!problem.isFound) process.exitCode = 1;
  }
}

async function find(name) {
  const patch = join(patches, `${name}.patch`);
  const folder = mkdtempSync(join(tmpdir(), 'removed-fix-'));
  try {
    for (const path of ['src', 'test/fleet', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
      cpSync(join(root, path), join(folder, path), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    // Git must not take the temporary folder for a part of a repository.
    const env = { ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() };
    await run('git', ['apply', patch], { cwd: folder, env });
    const expected = /^Found as: (.*)$/m.exec(readFileSync(patch, 'utf8'))[1];
    return await simulate(folder, new RegExp(expected));
  } catch (error) {
    return { isFound: false, text: `${error.message}\n${error.stdout ?? ''}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function simulate(folder, expected) {
  const env = { ...process.env, ...ENVIRONMENT, NO_COLOR: '1' };
  try {
    await run(process.execPath, [vitest, 'run', 'test/fleet'], { cwd: folder, env });
  } catch (error) {
    const { stdout, stderr } = error;
    const [, tests, seed, path] =
      /Property failed after (\d+) tests\s+\{ seed: (-?\d+), path: "([\d:]+)"/.exec(stderr) ?? [];
    const broken = /BrokenPromise: (.*)/.exec(stderr)?.[1];
    if (tests && broken) {
      const again = `FLEET_SIZE=${ENVIRONMENT.FLEET_SIZE} FLEET_SEED=${seed} FLEET_PATH=${path}`;
      const isFound = expected.test(broken);
      const verdict = isFound ? 'found' : `NOT FOUND (expected: ${expected.source}), but this`;
      return { isFound, text: `${verdict} after ${tests} schedules (${again}): ${broken}` };
    }
    throw new Error(`The simulation failed for another reason:\n${stdout}${stderr}`, { cause: error });
  }
  return { isFound: false, text: `NOT FOUND in ${SCHEDULES} schedules` };
}

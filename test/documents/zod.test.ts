import { expect, test } from 'vitest';
import { exec, ROOT } from './support.js';

const SCRIPT = `
  import { z } from 'zod';
  let runs = 0;
  process.on('exit', () => console.log(runs));
  const refine = async () => { runs += 1; throw new Error('the database is down'); };
  await z.string().refine(refine)['~standard'].validate('token').catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 100));`;

// Once this fails, docs/recipes.md need no longer advise against it.
test('zod runs an asynchronous refinement twice, and the process ends if both runs reject', async () => {
  const run = exec(process.execPath, ['--input-type=module', '--eval', SCRIPT], { cwd: ROOT });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stdout: '2\n',
    stderr: expect.stringContaining('the database is down'),
  });
});

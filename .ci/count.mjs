// Prints the last line of the log, with the totals of all steps: node count.mjs FOLDER_OF_REPORTS EXIT_STATUS
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, status] = process.argv.slice(2);
const reports = readdirSync(folder)
  .filter((file) => file.endsWith('.vitest.json'))
  .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')));

const passed = sum(reports.map((report) => report.numPassedTests));
// A test file that cannot be loaded, or whose beforeAll fails, has no failed test.
const failedFiles = reports
  .flatMap((report) => report.testResults)
  .filter(
    (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  );
const failed = sum(reports.map((report) => report.numFailedTests)) + failedFiles.length;

// A step without tests can fail, too.
console.log(`${passed} passed, ${status === '0' ? failed : Math.max(failed, 1)} failed`);
if (passed === 0) process.exitCode = 1;

function sum(counts) {
  return counts.reduce((total, count) => total + count, 0);
}

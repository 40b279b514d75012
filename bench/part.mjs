// One part of the suite, in a separate process, so that it begins with a clean heap and an idle thread pool.
import { ContenderError } from './contenders/check.mjs';

// Also if the suite was stopped.
process.on('disconnect', () => process.exit());

const [name, length] = process.argv.slice(2);
const { run } = await import(`./parts/${name}.mjs`);
try {
  const sections = await run({ short: length === 'short' });
  process.send({ sections }, () => process.disconnect());
} catch (error) {
  console.error(error instanceof ContenderError ? error.message : error);
  // Without closing the servers of the part: they end when this process does.
  process.exit(1);
}

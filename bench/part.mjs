// One part of the suite, in a process of its own: it begins with a clean heap and an idle thread pool.
import { ContenderError } from './contenders/check.mjs';

// Also where the suite was stopped.
process.on('disconnect', () => process.exit());

const [name, length] = process.argv.slice(2);
const { run } = await import(`./parts/${name}.mjs`);
try {
  const sections = await run({ short: length === 'short' });
  process.send({ sections }, () => process.disconnect());
} catch (error) {
  console.error(error instanceof ContenderError ? error.message : error);
  // At once: servers that the part has started end with it.
  process.exit(1);
}

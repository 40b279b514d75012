// The command line: node bench/main.mjs [--short] [part …]

/** In the order of execution. */
export const PARTS = ['verify', 'guard', 'sign', 'start', 'growth'];

/**
 * @param {readonly string[]} argv without the paths of Node.js and the script
 * @throws Error for an unknown argument
 */
export function readArguments(argv) {
  const short = argv.includes('--short');
  const named = argv.filter((argument) => argument !== '--short');
  const unknown = named.find((name) => !PARTS.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown} is not one of: --short, ${PARTS.join(', ')}`);
  return { short, parts: named.length === 0 ? PARTS : PARTS.filter((part) => named.includes(part)) };
}

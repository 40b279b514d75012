// The command line: node bench/main.mjs [--short] [part …]

/** In the order in which they run. */
export const PARTS = ['verify', 'guard', 'sign', 'start', 'growth'];

/**
 * @param {readonly string[]} argv without Node and the script
 * @throws Error that says what is wrong
 */
export function readArguments(argv) {
  const short = argv.includes('--short');
  const named = argv.filter((argument) => argument !== '--short');
  const unknown = named.find((name) => !PARTS.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown} is none of: --short, ${PARTS.join(', ')}`);
  return { short, parts: named.length === 0 ? PARTS : PARTS.filter((part) => named.includes(part)) };
}

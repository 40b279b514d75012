const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\]:,]/gs;

/**
 * Whether an object in a JSON text has a duplicate member, one named `__proto__`, or one whose name JSON must escape:
 * readers interpret these differently.
 *
 * @param json valid JSON
 */
export function hasAmbiguousNames(json: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  let before = '';
  for (const [token] of json.matchAll(TOKENS)) {
    const names = open.at(-1);
    if (names && token.startsWith('"') && (before === '{' || before === ',')) {
      const name = JSON.parse(token) as string;
      if (name === '__proto__' || /["\\]|[^ -\uffff]/.test(name) || !isWellFormed(name) || names.has(name))
        return true;
      names.add(name);
    }
    if (token === '{') open.push(new Set());
    if (token === '[') open.push(undefined);
    if (token === '}' || token === ']') open.pop();
    before = token;
  }
  return false;
}

/** A string without lone surrogates. */
function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text;
}

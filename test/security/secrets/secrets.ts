import { createHash, randomBytes, randomInt } from 'node:crypto';

/** How much of a secret has to be there to be found, in bytes or characters. */
const PIECE = 8;
/** Shorter ones are words, such as `root`. */
const SHORTEST = 12;

/** A text that stands nowhere by chance. */
export function newCanary(): string {
  return Array.from(randomBytes(24), (byte) => 'abcdefghijklmnopqrstuvwxyz'[byte % 26]).join('');
}

/** A number that stands nowhere by chance: no time has as many digits. */
export function newNumber(): number {
  return randomInt(10 ** 14, 2 ** 48 - 1);
}

/**
 * What must be printed nowhere. Of each secret its beginning, middle and end are looked for, as whoever quotes may cut;
 * in plain text, and as programs print bytes.
 */
export class Secrets {
  /** What is looked for, by its first characters, with the name of its secret. */
  private readonly wanted = new Map<string, Map<string, string>>();
  private readonly known = new Set<string>();

  add(name: string, secret: string | Uint8Array): this {
    if (secret.length < SHORTEST) return this;
    const bytes = Buffer.from(secret as string);
    const [middle, end] = [(bytes.length - PIECE) >> 1, bytes.length - PIECE];
    for (const start of new Set([0, middle, end])) {
      const piece = bytes.subarray(start, start + PIECE);
      const isTime = /^\d+$/.test(piece.toString());
      if (isTime || this.known.has(piece.toString('latin1'))) continue;
      this.known.add(piece.toString('latin1'));
      for (const spelling of spellings(piece)) this.want(name, spelling);
    }
    return this;
  }

  /** Words, whose parts may stand anywhere. */
  addWords(name: string, words: string): this {
    if (words.length >= SHORTEST) this.want(name, withoutSpace(words));
    return this;
  }

  /** A token, each of its parts, the texts and long numbers in its claims, and the digest of what its signature covers. */
  addToken(name: string, token: string): this {
    const [header = '', payload = '', signature = ''] = token.split('.');
    for (const claim of textsIn(payload)) this.addWords(`a claim of ${name}`, claim);
    return this.addWords(name, token)
      .add(`header of ${name}`, header)
      .add(`payload of ${name}`, payload)
      .add(`signature of ${name}`, signature)
      .add(`signature of ${name}`, Buffer.from(signature, 'base64url'))
      .add(`digest of ${name}`, createHash('sha256').update(`${header}.${payload}`).digest());
  }

  /** What of all this stands in the texts, and where. */
  foundIn(texts: Iterable<string>): string[] {
    const found = new Map<string, string>();
    for (const text of texts) {
      const compact = withoutSpace(text);
      for (let start = 0; start + PIECE <= compact.length; start += 1) {
        for (const [spelling, name] of this.wanted.get(compact.slice(start, start + PIECE)) ?? []) {
          if (compact.startsWith(spelling, start) && !found.has(name)) {
            found.set(name, compact.slice(Math.max(0, start - 60), start + 60));
          }
        }
      }
    }
    return [...found].map(([name, excerpt]) => `${name}: …${excerpt}…`);
  }

  private want(name: string, spelling: string): void {
    const key = spelling.slice(0, PIECE);
    if (key.length < PIECE) return;
    const candidates = this.wanted.get(key) ?? new Map<string, string>();
    this.wanted.set(key, candidates.set(spelling, name));
  }
}

function spellings(bytes: Buffer): string[] {
  const texts = [
    withoutSpace(bytes.toString()),
    ...(['base64', 'base64url'] as const).flatMap((encoding) => encodings(bytes, encoding)),
  ];
  return [
    ...texts,
    ...[bytes, ...texts.map((text) => Buffer.from(text))].flatMap(asBytes),
    JSON.stringify(texts[0]).slice(1, -1),
  ];
}

/** As JSON and debuggers print bytes. */
function asBytes(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  return [hex, hex.toUpperCase(), bytes.join(',')];
}

/** As it is encoded behind any number of bytes; characters that tell of neighbours are left out. */
function encodings(bytes: Buffer, encoding: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding);
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    return encoded.slice(Math.ceil((before * 8) / 6), end);
  });
}

// Lists of bytes are broken into lines.
function withoutSpace(text: string): string {
  return text.replace(/\s+/g, '');
}

function textsIn(payload: string): string[] {
  const texts: string[] = [];
  try {
    JSON.parse(Buffer.from(payload, 'base64url').toString(), (_, value: unknown) => {
      if (typeof value === 'string' || typeof value === 'number') texts.push(String(value));
      return value;
    });
  } catch {
    // Then it has no claims.
  }
  return texts;
}

import { createHash, randomBytes, randomInt } from 'node:crypto';

/** The length of a piece of a secret that is searched for, in bytes or characters. */
const PIECE = 8;
/** Shorter strings are ordinary words, such as `root`. */
const SHORTEST = 12;

/** A string that occurs nowhere by chance. */
export function newCanary(): string {
  return Array.from(randomBytes(24), (byte) => 'abcdefghijklmnopqrstuvwxyz'[byte % 26]).join('');
}

/** A number that occurs nowhere by chance: no time has as many digits. */
export function newNumber(): number {
  return randomInt(10 ** 14, 2 ** 48 - 1);
}

/**
 * Secrets that must not be printed. The search is for the beginning, middle and end of each, because a quote may be cut off,
 * in plain text and in the formats in which programs print bytes.
 */
export class Secrets {
  /** The pieces to search for by their first characters, with the names of their secrets. */
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

  /** Adds words that are searched for only as a whole, because their parts may occur anywhere. */
  addWords(name: string, words: string): this {
    if (words.length >= SHORTEST) this.want(name, withoutSpace(words));
    return this;
  }

  /** Adds a token: each of its parts, the strings and long numbers in its claims, and the digest of its signing input. */
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

  /** The secrets found in the texts, with the context. */
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

/** Bytes as JSON and debuggers print them. */
function asBytes(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  return [hex, hex.toUpperCase(), bytes.join(',')];
}

/** The base64 of the bytes at any offset, without the characters that depend on neighboring bytes. */
function encodings(bytes: Buffer, encoding: 'base64' | 'base64url'): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding);
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    return encoded.slice(Math.ceil((before * 8) / 6), end);
  });
}

// Arrays of bytes are printed in several lines.
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
    // Such a payload has no claims.
  }
  return texts;
}

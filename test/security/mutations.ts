import { partsOf } from './support.js';

/** Mulberry32: the same numbers from 0 to below 1 for the same seed on every machine. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const FOREIGN = ['=', '+', '/', ' ', '\n', '\t', '\u0000', '.', '%', '"', '{', 'é', '\ud800', '\ufeff'];

type Mutation = (token: string, below: (limit: number) => number) => string;

const put = (token: string, at: number, text: string, removed: number) =>
  token.slice(0, at) + text + token.slice(at + removed);
const letter = (below: (limit: number) => number) => ALPHABET[below(64)] ?? '';

const MUTATIONS: readonly Mutation[] = [
  (token, below) => put(token, below(token.length), letter(below), 1),
  (token, below) => put(token, below(token.length), letter(below), 0),
  (token, below) => put(token, below(token.length), '', 1 + below(3)),
  (token, below) => put(token, below(token.length), FOREIGN[below(FOREIGN.length)] ?? '', below(2)),
  (token, below) => token + (FOREIGN[below(FOREIGN.length)] ?? ''),
  (token, below) => token.slice(0, below(token.length)),
  (token, below) => token.slice(1 + below(20)),
  (token, below) => {
    const at = below(token.length - 8);
    return put(token, at, token.slice(at, at + 1 + below(8)), 0);
  },
  (token, below) => {
    const at = below(token.length - 1);
    return put(token, at, `${token[at + 1]}${token[at]}`, 2);
  },
  (token, below) => {
    const at = below(token.length);
    const one = token[at] ?? '';
    return put(token, at, one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase(), 1);
  },
  (token, below) => {
    const parts = partsOf(token);
    const which = below(3);
    const bytes = Buffer.from(parts[which] ?? '', 'base64url');
    const at = below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    return parts.with(which, bytes.toString('base64url')).join('.');
  },
  // Only the last character of a part can have two encodings for the same bytes.
  (token, below) => {
    const parts = partsOf(token);
    const which = below(3);
    return parts.with(which, (parts[which] ?? '').slice(0, -1) + letter(below)).join('.');
  },
  (token, below) => {
    const parts = partsOf(token);
    const which = below(3);
    return parts.with(which, `${parts[which]}${FOREIGN[below(FOREIGN.length)]}`).join('.');
  },
  (token, below) => {
    const parts = partsOf(token);
    return parts.with(below(3), parts[below(3)] ?? '').join('.');
  },
];

/** A token that differs from the given one. */
export function mutate(token: string, random: () => number): string {
  const below = (limit: number) => Math.floor(random() * limit);
  for (;;) {
    const mutant = MUTATIONS[below(MUTATIONS.length)]?.(token, below);
    if (mutant !== undefined && mutant !== token) return mutant;
  }
}

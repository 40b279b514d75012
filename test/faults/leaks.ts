import { AWS_SECRETS } from './service.js';

/** Claims and passwords of the example's users, and the beginning of each JSON part of a token. */
const FORBIDDEN = [/"sub"/, /\bada\b/, /\bbob\b/, /lovelace/, /builder/, /\beyJ/];

/** The secrets in a text, each once. */
export function leaksIn(text: string, tokens: readonly string[]): string[] {
  const parts = new Set(tokens.flatMap((token) => token.split('.')));
  const words = [...new Set(text.match(/[\w-]{20,}/g))];
  return [
    ...FORBIDDEN.filter((pattern) => pattern.test(text)).map(String),
    ...AWS_SECRETS.filter((secret) => text.includes(secret)),
    ...words.filter((word) => parts.has(word)),
  ];
}

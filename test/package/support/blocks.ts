import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface Block {
  readonly language: string;
  readonly code: string;
  /** The file name in the first line, if it has one. */
  readonly file: string | undefined;
}

export const read = (document: string) =>
  readFile(fileURLToPath(new URL(`../../../${document}`, import.meta.url)), 'utf8');

/** The code blocks of a document, or of one section, which ends at the next heading. */
export async function blocksOf(document: string, heading = ''): Promise<Block[]> {
  const text = await read(document);
  const section = heading ? (text.split(/^##+ /m).find((one) => one.startsWith(`${heading}\n`)) ?? '') : text;
  return [...section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language = '', code = '']) => ({
    language,
    code,
    file: /^\/\/ (\S+)\n/.exec(code)?.[1],
  }));
}

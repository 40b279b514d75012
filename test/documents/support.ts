import { execFile, spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { awsEnvironment, folder } from './kms.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const exec = promisify(execFile);

export interface Block {
  language: string;
  text: string;
}

/** The code blocks of a document. */
export async function blocksOf(document: string): Promise<Block[]> {
  const text = await readFile(join(ROOT, document), 'utf8');
  const found = text.matchAll(/^( *)```(\w+)\n([^]*?)^ *```$/gm);
  return [...found].map(([, indent = '', language = '', code = '']) => ({
    language,
    text: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

/** The documents whose code blocks depend on each other; other documents have separate tests. */
export const GUIDES = [
  'README.md',
  'docs/transports.md',
  'docs/rotation.md',
  'docs/recipes.md',
  'docs/issuers.md',
] as const;
export const blocks = (await Promise.all(GUIDES.map(blocksOf))).flat();
export const fileOf = ({ text }: Block) => /^\/\/ (\S+)\n/.exec(text)?.[1];
export const block = (beginning: string) => blocks.find(({ text }) => text.startsWith(beginning))?.text ?? '';

export const compilerOptions = (changed: object): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object };
  };
  return ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, paths: {}, ...changed }, ROOT)
    .options;
};

export const environment = (more: Record<string, string> = {}) => ({
  PATH: `${join(ROOT, 'test/support/bin')}:${process.env['PATH']}`,
  HOME: folder,
  ...awsEnvironment(),
  ...(process.env['AWS_CLI'] && { AWS_CLI: process.env['AWS_CLI'] }),
  ...more,
});
export const bash = async (script: string, env = environment()) =>
  (await exec('bash', ['-euo', 'pipefail', '-c', script], { env, cwd: ROOT })).stdout;

/** Runs a command until its output matches. */
export async function start(command: string, args: string[], env: NodeJS.ProcessEnv, ready: RegExp) {
  const child = spawn(command, args, { env, cwd: folder });
  let output = '';
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const match = ready.exec(output);
      if (match) resolve(match);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(output)));
  });
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
  };
  return { found, stop };
}

/**
 * Writes the TypeScript blocks as JavaScript. One test checks the types of all of them.
 *
 * @param name of a folder inside the package, so that the code can import the built package by its name
 */
export async function compile(name: string, from: readonly Block[] = blocks) {
  const compiled = join(ROOT, 'dist/documents', name);
  await rm(compiled, { recursive: true, force: true });
  for (const one of from.filter(({ language }) => language === 'ts')) {
    const { outputText } = ts.transpileModule(one.text, {
      compilerOptions: compilerOptions({ module: 'esnext' }),
    });
    const file = join(compiled, (fileOf(one) ?? 'unnamed.ts').replace(/ts$/, 'js'));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, outputText);
  }
  const load = (file: string) => import(join(compiled, file)) as Promise<Record<string, never>>;
  return { compiled, load };
}

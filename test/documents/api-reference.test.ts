import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { docstrings, ENTRIES, exportsOf, grammarErrors, page } from './api-reference.support.js';

const entries = Object.entries(ENTRIES).map(([entry, name]) => ({ entry, name, exports: exportsOf(entry) }));
const found = await docstrings();
const examples = found.flatMap(({ file, text }) =>
  [...text.matchAll(/^@example\n```ts\n([^]*?)^```$/gm)].map(([, code = '']) => ({ file, code })),
);
/** The end of a sentence. */
const SENTENCE = /\S\.(?:\s|$)/;

test('the entry points have the expected exports and members', () => {
  const names = entries.flatMap(({ exports }) => exports.map(({ name }) => name));
  expect(names).toEqual(
    expect.arrayContaining(['KmsJwtModule', 'Public', 'JwtClaims', 'LocalKms', 'fakeClaims', 'TestClock']),
  );
  const guard = entries[0]?.exports.find(({ name }) => name === 'KmsJwtGuard');
  expect(guard?.members.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['canActivate', 'getToken', 'named', 'jwt', 'kmsJwtRegistration']),
  );
});

describe.each(entries)('$entry', ({ name, exports }) => {
  test('has a docstring for every export', () => {
    expect(exports.filter(({ sentence }) => !SENTENCE.test(sentence))).toEqual([]);
  });

  test('has a docstring for every method and accessor', () => {
    const undocumented = exports.flatMap(({ name: of, members }) =>
      members
        .filter(
          ({ isCallable, isInternal, sentence }) => isCallable && !isInternal && !SENTENCE.test(sentence),
        )
        .map((member) => `${of}.${member.name}`),
    );
    expect(undocumented).toEqual([]);
  });

  test('has a section for every export, with an anchor of its name', async () => {
    const headings = (await page(name)).matchAll(/^(#+) ([^\s(]+)(?:\(\))?\??$/gm);
    // GitHub adds a number to the anchor of the later of two equal headings.
    const firsts = new Map<string, string>();
    for (const [line, , title = ''] of headings) {
      if (!firsts.has(title.toLowerCase())) firsts.set(title.toLowerCase(), line);
    }
    expect(exports.map((one) => firsts.get(one.name.toLowerCase()))).toEqual(
      exports.map((one) => `### ${one.name}${one.isFunction ? '()' : ''}`),
    );
  });

  test('is in the index, with a link for each export', async () => {
    const links = [...(await page('README.md')).matchAll(/^- \[(\S+)\]\((\S+)\): \S/gm)];
    const ofEntry = links.filter(([, , target = '']) => target.startsWith(`${name}#`));
    expect(new Map(ofEntry.map(([, title, target]) => [title, target]))).toEqual(
      new Map(exports.map((one) => [one.name, `${name}#${one.name.toLowerCase()}`])),
    );
  });

  test('has no member that is @internal', async () => {
    const sections = new Map(
      (await page(name)).split(/^### /m).map((text) => [/^\w*/.exec(text)?.[0], text]),
    );
    const shown = exports.map(({ name: of, members }) => {
      const shows = ({ name: member }: { name: string }) =>
        new RegExp(`^(?:#+ |>.* \\*\\*|\\| \`)${member}\\b`, 'm').test(sections.get(of) ?? '');
      return {
        of,
        internal: members.filter((one) => one.isInternal && shows(one)),
        others: members.some(shows),
      };
    });
    expect(shown.filter(({ internal }) => internal.length > 0)).toEqual([]);
    // Proves that the expression finds members at all.
    expect(shown.some(({ others }) => others)).toBe(true);
  });
});

test('a docstring has no word that TypeScript parses as a tag, such as the name of a scoped package', () => {
  const prose = found.map(({ file, text }) => ({
    file,
    text: text.replace(/^@example[^]*/m, '').replaceAll(/`[^`]*`/g, ''),
  }));
  expect(
    prose.filter(({ text }) =>
      /(?:^|\s)@(?!(?:internal|module|param|returns|see|throws)\s|ts-ignore:)/.test(text),
    ),
  ).toEqual([]);
});

describe('an example', () => {
  test('is fenced, and comes last in its docstring', () => {
    expect(examples.length).toBeGreaterThan(70);
    const others = found.filter(({ text }) => {
      const [, ...parts] = text.split(/^@example\b/m);
      // Up to version 6, TypeScript parses each decorator in an example as a tag, and drops the text after it.
      return parts.some((part) => !/^\n```ts\n[^]*?^```\s*$(?![^])/m.test(part));
    });
    expect(others).toEqual([]);
  });

  test('has decorators without an escaped @', () => {
    expect(found.filter(({ text }) => text.includes('\\@'))).toEqual([]);
    expect(examples.some(({ code }) => /^@Controller\(/m.test(code))).toBe(true);
  });

  test.each(examples)('of $file parses: $code', ({ code }) => {
    const { diagnostics = [] } = ts.transpileModule(code, {
      reportDiagnostics: true,
      compilerOptions: { experimentalDecorators: true, module: ts.ModuleKind.ESNext },
    });
    expect(diagnostics.map(({ messageText }) => messageText)).toEqual([]);
  });

  test('has no grammar errors', () => {
    expect(grammarErrors(['return 1;', 'class A { @b() }', 'const a = 1;'])).toHaveLength(2);
    expect(grammarErrors(examples.map(({ code }) => code))).toEqual([]);
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { compilerOptions, ROOT } from './support.js';

/** Each entry point and its page in docs/api. */
export const ENTRIES = {
  'src/index.ts': 'nestjs-kms-jwt.md',
  'src/local/index.ts': 'nestjs-kms-jwt/local.md',
  'src/terminus/index.ts': 'nestjs-kms-jwt/terminus.md',
  'src/testing/index.ts': 'nestjs-kms-jwt/testing.md',
};

const program = ts.createProgram(
  Object.keys(ENTRIES).map((entry) => join(ROOT, entry)),
  compilerOptions({}),
);
const checker = program.getTypeChecker();

export interface Documented {
  readonly name: string;
  /** The text of the docstring, without its tags. */
  readonly sentence: string;
  readonly isInternal: boolean;
}

export interface Export extends Documented {
  readonly isFunction: boolean;
  /** The methods, accessors and properties that an app can use, also in a subclass. */
  readonly members: readonly (Documented & { readonly isCallable: boolean })[];
}

const documented = (symbol: ts.Symbol): Documented => ({
  name: symbol.name,
  sentence: ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim(),
  isInternal: symbol.getJsDocTags(checker).some(({ name }) => name === 'internal'),
});

/** The exports of an entry point, as TypeScript sees them. */
export function exportsOf(entry: string): Export[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(join(ROOT, entry)) as ts.SourceFile);
  return checker.getExportsOfModule(module as ts.Symbol).map((exported) => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const isFunction = Boolean(symbol.flags & ts.SymbolFlags.Function);
    return { ...documented(symbol), isFunction, members: membersOf(symbol) };
  });
}

function membersOf(symbol: ts.Symbol): Export['members'] {
  const { Class, Interface, Method, Accessor, Property } = ts.SymbolFlags;
  if (!(symbol.flags & (Class | Interface))) return [];
  const own = [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])];
  return own
    .filter((member) => member.flags & (Method | Accessor | Property) && !isPrivate(member))
    .map((member) => ({
      ...documented(member),
      isCallable: Boolean(member.flags & (Method | Accessor)),
    }));
}

const isPrivate = ({ declarations = [], flags }: ts.Symbol) =>
  Boolean(flags & ts.SymbolFlags.Prototype) ||
  declarations.some((one) => ts.getCombinedModifierFlags(one) & ts.ModifierFlags.Private);

export const page = (name: string) => readFile(join(ROOT, 'docs/api', name), 'utf8');

export interface Docstring {
  readonly file: string;
  readonly text: string;
}

/** Every docstring of the source, without its asterisks. */
export async function docstrings(): Promise<Docstring[]> {
  const names = (await readdir(join(ROOT, 'src'), { recursive: true })).filter((name) =>
    name.endsWith('.ts'),
  );
  const found = names.toSorted().map(async (name) => {
    const text = await readFile(join(ROOT, 'src', name), 'utf8');
    return [...text.matchAll(/\/\*\*([^]*?)\*\//g)].map(([, inside = '']) => ({
      file: `src/${name}`,
      text: inside.replaceAll(/^ *\* ?/gm, ''),
    }));
  });
  return (await Promise.all(found)).flat();
}

/**
 * The grammar errors that TypeScript finds in some code, such as a `return` outside of a function or a misplaced decorator. Unknown
 * names and type errors are ignored, because an example leaves out imports.
 */
export function grammarErrors(code: readonly string[]): string[] {
  const options = compilerOptions({ noLib: true, noResolve: true, types: [] });
  const sources = new Map(code.map((text, index) => [`/example-${index}.ts`, `${text}\nexport {};\n`]));
  const host = ts.createCompilerHost(options);
  host.getSourceFile = (name) => {
    const text = sources.get(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true);
  };
  host.fileExists = (name) => sources.has(name);
  const examples = ts.createProgram([...sources.keys()], options, host);
  return [...sources].flatMap(([name, text]) => {
    const source = examples.getSourceFile(name);
    const all = [...examples.getSyntacticDiagnostics(source), ...examples.getSemanticDiagnostics(source)];
    const problems = all.filter(({ code: number }) => number < FIRST_OF_TYPES);
    return problems.map(
      ({ messageText }) => `${ts.flattenDiagnosticMessageText(messageText, '\n')}: ${text}`,
    );
  });
}

/** Diagnostics with lower numbers are grammar errors. */
const FIRST_OF_TYPES = 2000;

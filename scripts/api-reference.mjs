// Generates docs/api from the docstrings of the entry points, with TypeDoc. With --check it only compares.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application } from 'typedoc';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const FOLDER = join(ROOT, 'docs/api');
const ENTRIES = ['index', 'local/index', 'terminus/index', 'testing/index'];

const GROUPS = ['Classes', 'Decorators', 'Functions', 'Interfaces', 'Type Aliases', 'Errors'];
const MEMBERS = ['Constructors', 'Properties', 'Accessors', 'Methods'];

const OPTIONS = {
  name: 'API reference',
  entryPoints: ENTRIES.map((entry) => `${ROOT}src/${entry}.ts`),
  tsconfig: `${ROOT}tsconfig.build.json`,
  plugin: ['typedoc-plugin-markdown', `${ROOT}scripts/api-reference.theme.mjs`],
  theme: 'api-reference',
  logLevel: 'Warn',
  treatWarningsAsErrors: true,

  // Contents.
  readme: 'none',
  excludeInternal: true,
  excludePrivate: true,
  // Such as the members that every error inherits from Error.
  excludeExternals: true,
  validation: {
    notExported: true,
    invalidLink: true,
    invalidPath: true,
    rewrittenLink: true,
    notDocumented: true,
    unusedMergeModuleWith: true,
  },
  // Not every property: some names, such as those of a JWK, are self-explanatory.
  requiredToBeDocumented: ['Module', 'Class', 'Interface', 'TypeAlias', 'Function', 'Method', 'Accessor'],
  // TestClock implements it. It is not exported, because an app has no option for a clock (ARCHITECTURE.md).
  intentionallyNotExported: ['Clock'],

  // The output depends only on the source: it has no commit, line number or absolute path.
  disableSources: true,
  sort: ['source-order'],
  groupOrder: [...GROUPS, ...MEMBERS],

  // One page for each entry point keeps the tarball small and the page searchable.
  router: 'api-reference',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  expandObjects: true,
  parametersFormat: 'table',
  classPropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  tableColumnSettings: { hideDefaults: true, hideInherited: true, hideOverrides: true, hideModifiers: true },
  // `prettier --check .` covers docs/api, too.
  formatWithPrettier: true,
  prettierConfigFile: `${ROOT}.prettierrc`,
};

const output = mkdtempSync(join(tmpdir(), 'api-reference-'));
try {
  process.exitCode = (await generate(output)) ? writeOrCompare(output) : 1;
} finally {
  rmSync(output, { recursive: true });
}

/** @returns whether TypeDoc reported neither errors nor warnings */
async function generate(folder) {
  const app = await Application.bootstrapWithPlugins({ ...OPTIONS, out: folder });
  const project = await app.convert();
  if (!project) return false;
  app.validate(project);
  await app.generateOutputs(project);
  return !app.logger.hasErrors() && !app.logger.hasWarnings();
}

/** @returns the exit code */
function writeOrCompare(folder) {
  if (process.argv.includes('--check')) {
    const differing = differences(folder);
    if (differing.length === 0) return 0;
    console.error(`docs/api is out of date (${differing.join(', ')}): run npm run docs:api`);
    return 1;
  }
  rmSync(FOLDER, { recursive: true, force: true });
  cpSync(folder, FOLDER, { recursive: true });
  return 0;
}

function differences(folder) {
  const contents = [folder, FOLDER].map(filesIn);
  const names = new Set(contents.flatMap((files) => [...files.keys()]));
  return [...names].filter((name) => contents[0].get(name) !== contents[1].get(name));
}

function filesIn(folder) {
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]));
}

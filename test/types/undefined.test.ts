import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = fileURLToPath(new URL('undefined.source.ts', import.meta.url));

/** Compiled separately, because the other tests are compiled without exactOptionalPropertyTypes. */
const SOURCE = `
  import type {
    DecodeOptions,
    GuardOptions,
    KmsJwtModuleExtras,
    KmsJwtModuleOptions,
    LimitOptions,
    RotationOptions,
    SignOptions,
    VerifyOptions,
  } from 'nestjs-kms-jwt';

  /** The options that accept undefined. */
  type Undefinable<Options> = {
    [Name in keyof Options]-?: undefined extends Required<Options>[Name] ? Name : never;
  }[keyof Options];
  type Same<One, Other> = [One, Other] extends [Other, One] ? true : [One, Other];

  /** An undefined value for one of these would disable a check. */
  type Check =
    'signOptions' | 'verifyOptions' | 'verification' | 'isRevoked' | 'distrustedKeys' | 'allowedOrigins';

  export const same: [
    Same<Undefinable<SignOptions>, 'signal'>,
    Same<Undefinable<VerifyOptions>, never>,
    Same<Undefinable<DecodeOptions>, 'complete'>,
    Same<Undefinable<KmsJwtModuleOptions>, Exclude<keyof KmsJwtModuleOptions, Check>>,
    Same<Undefinable<RotationOptions>, Exclude<keyof RotationOptions, Check>>,
    Same<Undefinable<LimitOptions>, keyof LimitOptions>,
    Same<Undefinable<GuardOptions>, Exclude<keyof GuardOptions, Check>>,
    Same<Undefinable<KmsJwtModuleExtras>, keyof KmsJwtModuleExtras>,
  ] = [true, true, true, true, true, true, true, true];
`;

test('the types accept undefined for exactly the options that treat it as omitted', () => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object };
  };
  // Without this option, TypeScript accepts undefined for every optional property.
  const strict = { ...config.compilerOptions, exactOptionalPropertyTypes: true };
  const { options } = ts.convertCompilerOptionsFromJson(strict, root);
  const host = ts.createCompilerHost(options);
  host.fileExists = (name) => name === source || ts.sys.fileExists(name);
  host.readFile = (name) => (name === source ? SOURCE : ts.sys.readFile(name));
  const program = ts.createProgram([source], options, host);
  const compiled = program.getSourceFile(source);
  expect(compiled).toBeDefined();
  const problems = [
    ...program.getSyntacticDiagnostics(compiled),
    ...program.getSemanticDiagnostics(compiled),
  ];
  expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
}, 60_000);

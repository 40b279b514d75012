import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AlgorithmName, KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { beforeAll, describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../../src/jwt/algorithms.js';
import { AUDIENCE, ISSUER, librariesTable, type Sample, sizesTable } from './algorithms.tables.js';
import { init, localKms, useKms } from './kms.js';
import { bash, blocksOf, compile, ROOT } from './support.js';

const DOCUMENT = join(ROOT, 'docs/algorithms.md');
const CLAIMS_BYTES = 435;

const blocks = await blocksOf('docs/algorithms.md');
const KEY_SPECS = [...new Set(ALGORITHMS.flatMap(({ keySpecs }) => keySpecs))] as LocalKmsKeySpec[];

const bytesOf = (token: string) => Buffer.from(token.split('.')[1] ?? '', 'base64url').length;

/** A token with 435 bytes of claims, signed with this key spec. */
async function sampleOf(kms: LocalKms, alg: AlgorithmName, keySpec: string): Promise<Sample> {
  const signOptions = { issuer: ISSUER, audience: AUDIENCE, expiresIn: '15m', jwtid: 'b'.repeat(36) };
  const module = await init(
    KmsJwtModule.forRoot({
      keyId: `alias/${keySpec}`,
      client: kms.client(),
      algorithm: alg,
      signOptions,
    }) as never,
  );
  const jwt = module.get(KmsJwtService);
  const claims = { sub: 'user-42', roles: '' };
  const missing = CLAIMS_BYTES - bytesOf(await jwt.sign(claims));
  const token = await jwt.sign({ ...claims, roles: 'r'.repeat(missing) });
  expect(bytesOf(token)).toBe(CLAIMS_BYTES);
  const keySet = await jwt.jwks();
  await module.close();
  return { alg, keySpec, token, keySet };
}

/** The part of the document between two comments with this name must be this table. */
async function expectTable(name: string, table: string): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before = '', rest = ''] = text.split(begin);
  const [, after = ''] = rest.split(end);
  const updated = `${before}${begin}\n\n${table}\n\n${end}${after}`;
  if (process.env['UPDATE_DOCS']) await writeFile(DOCUMENT, updated);
  expect(await readFile(DOCUMENT, 'utf8')).toBe(updated);
}

describe('the tables of docs/algorithms.md', () => {
  const samples: Sample[] = [];
  beforeAll(async () => {
    const kms = new LocalKms({ keys: KEY_SPECS.map((keySpec) => ({ alias: keySpec, keySpec })) });
    for (const { alg, keySpecs } of ALGORITHMS) {
      for (const keySpec of keySpecs) samples.push(await sampleOf(kms, alg, keySpec));
    }
  }, 60_000);

  test('state the lengths of signatures and tokens', () => expectTable('sizes', sizesTable(samples)));

  test('state which libraries accept the tokens', async () =>
    expectTable('libraries', await librariesTable(samples)));
});

describe('the move from RS256 to ES256 in docs/algorithms.md', () => {
  useKms({ alias: 'auth', keySpec: 'RSA_2048' });

  test('points the alias to the other key, and tokens of both keys verify', async () => {
    const { load } = await compile('algorithms', blocks);
    const { options } = await load('src/algorithms/options.js');
    const module = await init(
      KmsJwtModule.forRoot({
        ...(options as unknown as KmsJwtModuleOptions),
        client: localKms.client(),
        rotation: { refreshInterval: 1, activationDelay: 1, retireAfter: 60 },
      }) as never,
    );
    const jwt = module.get(KmsJwtService);
    const algorithmNow = async () => jwt.decode(await jwt.sign({}), { complete: true }).header.alg;
    const old = await jwt.sign({ sub: 'user-42' });
    expect(await algorithmNow()).toBe('RS256');

    await bash(blocks.find(({ text }) => text.includes('update-alias'))?.text ?? '');
    await expect.poll(algorithmNow, { timeout: 10_000 }).toBe('ES256');
    await expect(jwt.verify(old)).resolves.toMatchObject({ sub: 'user-42' });
    expect((await jwt.jwks()).keys.map(({ alg }) => alg)).toEqual(['ES256', 'RS256']);
    await module.close();
  });
});

test('the package that ML-DSA may need is an optional peer dependency in the tested version', async () => {
  const [name = ''] = blocks.flatMap(({ text }) => /^npm install (\S+)$/m.exec(text)?.slice(1) ?? []);
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    peerDependencies: Record<string, string>;
    peerDependenciesMeta: Record<string, { optional: boolean }>;
    devDependencies: Record<string, string>;
  };
  expect(name).toBe('@noble/post-quantum');
  expect(manifest.peerDependencies[name]).toBe(manifest.devDependencies[name]);
  expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
});

import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { Transport } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { KmsJwtGuard, KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms, type LocalKmsServer } from 'nestjs-kms-jwt/local';
import { io } from 'socket.io-client';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
// Inside the package, so that the code finds it by its name, as it is built.
const SOURCES = join(ROOT, 'dist/readme/ts');
const COMPILED = join(ROOT, 'dist/readme/js');
const exec = promisify(execFile);

interface Block {
  language: string;
  text: string;
}

const blocks: Block[] = [
  ...(await readFile(join(ROOT, 'README.md'), 'utf8')).matchAll(/^```(\w+)\n([^]*?)^```$/gm),
].map(([, language = '', text = '']) => ({ language, text }));
const fileOf = ({ text }: Block) => /^\/\/ (\S+)\n/.exec(text)?.[1];
const block = (beginning: string) => blocks.find(({ text }) => text.startsWith(beginning))?.text ?? '';

/** Where each block runs: a file by its name, a command by how it starts. */
const COVERED = {
  'npm ci && npm start': 'test/package/clone.test.ts and test/examples',
  'npm ci && npm test': '.ci/run',
  'npm install nestjs-kms-jwt': 'test/package',
  'KEY_ID=$(aws kms create-key': 'here',
  '{': 'here',
  'src/app.module.ts': 'here',
  'src/auth.controller.ts': 'here',
  'src/main.ts': 'here',
  'TOKEN=$(curl': 'here',
  'src/recipes/orders.controller.ts': 'here',
  'src/recipes/profile.doors.ts': 'here',
  'src/recipes/rotation.module.ts': 'here',
  'aws kms describe-key': 'here',
  'aws kms disable-key': 'here',
  'src/recipes/resource.module.ts': 'here',
  'src/recipes/regions.module.ts': 'here',
  'src/recipes/revocation.module.ts': 'here',
  'src/recipes/async.module.ts': 'here',
  'test/tokens.test.ts': 'here',
  'tools/local-kms.ts': 'here',
  'export AWS_ENDPOINT_URL_KMS=': 'here',
  'src/recipes/typed-claims.ts': 'here',
  'src/recipes/refresh-token.ts': 'here',
  'src/recipes/named.module.ts': 'here',
  'npm run bench': '.ci/run',
};

let localKms: LocalKms;
let kms: LocalKmsServer;
let folder: string;

const environment = (more: Record<string, string> = {}) => ({
  PATH: `${join(ROOT, 'test/support/bin')}:${process.env['PATH']}`,
  HOME: folder,
  AWS_ENDPOINT_URL_KMS: kms.url,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
  ...(process.env['AWS_CLI'] && { AWS_CLI: process.env['AWS_CLI'] }),
  ...more,
});
const bash = async (script: string, env = environment()) =>
  (await exec('bash', ['-euo', 'pipefail', '-c', script], { env, cwd: ROOT })).stdout;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a compiled file until it prints what is waited for. */
async function start(command: string, args: string[], env: NodeJS.ProcessEnv, ready: RegExp) {
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

const init = async (...imports: never[]) => {
  const module = await Test.createTestingModule({ imports }).compile();
  await module.init();
  return module;
};
const withAwsEnvironment = async <T>(run: () => Promise<T>): Promise<T> => {
  const before = { ...process.env };
  Object.assign(process.env, environment());
  try {
    return await run();
  } finally {
    process.env = before;
  }
};

const load = (file: string) => import(join(COMPILED, file)) as Promise<Record<string, never>>;

beforeAll(async () => {
  localKms = new LocalKms();
  kms = await localKms.listen();
  folder = await mkdtemp(join(tmpdir(), 'readme-'));
  await rm(join(ROOT, 'dist/readme'), { recursive: true, force: true });
  for (const one of blocks.filter(({ language }) => language === 'ts')) {
    const file = join(SOURCES, fileOf(one) ?? 'unnamed.ts');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, one.text);
  }
});
afterAll(async () => {
  await kms.close();
  await rm(folder, { recursive: true });
});

test('every code block of the README is run by a test', () => {
  const names = blocks.map(
    (one) => fileOf(one) ?? Object.keys(COVERED).find((beginning) => one.text.startsWith(beginning)),
  );
  expect(names).toEqual(Object.keys(COVERED));
});

test('all its TypeScript compiles against the package as it is built', () => {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...config.compilerOptions, paths: {}, noEmit: false, rootDir: SOURCES, outDir: COMPILED },
    ROOT,
  );
  const files = blocks
    .filter(({ language }) => language === 'ts')
    .map((one) => join(SOURCES, fileOf(one) ?? ''));
  const program = ts.createProgram(files, options);
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
});

describe('five minutes', () => {
  test('the AWS CLI creates the key and its alias', async () => {
    const output = await bash(block('KEY_ID=$(aws'));
    expect(output.trim().split('\t')).toEqual([localKms.keys[0]?.arn, 'ECC_NIST_P256', 'SIGN_VERIFY']);
    expect(localKms.keys[0]?.aliases[0]?.aliasName).toBe('alias/auth');
  });

  test('the app logs in and says who is there, with no more permissions than the policy gives', async () => {
    localKms.resetCalls();
    const port = await freePort();
    const main = join(COMPILED, 'src/main.js');
    const app = await start(
      process.execPath,
      [main],
      environment({ PORT: `${port}` }),
      /successfully started/,
    );
    try {
      const output = await bash(block('TOKEN=$(curl').replaceAll('localhost:3000', `localhost:${port}`));
      expect(JSON.parse(output)).toMatchObject({ sub: 'user-42', roles: ['user'], aud: 'my-app' });
    } finally {
      await app.stop();
    }
    const called = Object.entries(localKms.calls).filter(([, count]) => count > 0);
    const policy = JSON.parse(block('{')) as { Statement: [{ Action: string[] }] };
    expect(called.map(([operation]) => `kms:${operation}`)).toEqual(policy.Statement[0].Action);
  });
});

describe('recipes', () => {
  test('what a route may say', async () => {
    const { OrdersController } = await load('src/recipes/orders.controller.js');
    @Module({
      imports: [KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() })],
      controllers: [OrdersController as never],
      providers: [{ provide: APP_GUARD, useClass: KmsJwtGuard }],
    })
    class OrdersModule {}
    const app = (await init(OrdersModule as never)).createNestApplication({ logger: false });
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/orders`;
    const token = await app
      .get(KmsJwtService, { strict: false })
      .sign({ tenant: 'acme', scope: 'orders:write' });
    const ask = async (method: string, path: string, bearer?: string) =>
      (await fetch(url + path, { method, headers: bearer ? { authorization: `Bearer ${bearer}` } : {} }))
        .status;
    expect(await ask('GET', '/prices')).toBe(200);
    expect([
      await ask('GET', '/offers'),
      await ask('GET', '/offers', 'bad'),
      await ask('GET', '/offers', token),
    ]).toEqual([200, 401, 200]);
    expect([await ask('POST', ''), await ask('POST', '', token)]).toEqual([401, 201]);
    expect(await ask('DELETE', '', token)).toBe(401);
    await app.close();
  });

  test('other doors than HTTP', async () => {
    const { ProfileResolver, ProfileGateway, ProfileGrpcController } = await load(
      'src/recipes/profile.doors.js',
    );
    @Module({
      imports: [
        KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client() }),
        GraphQLModule.forRoot<ApolloDriverConfig>({ driver: ApolloDriver, autoSchemaFile: true }),
      ],
      controllers: [ProfileGrpcController as never],
      providers: [ProfileResolver as never, ProfileGateway as never],
    })
    class DoorsModule {}
    const app = (await init(DoorsModule as never)).createNestApplication({ logger: false });
    const grpcPort = await freePort();
    const protoPath = join(ROOT, 'examples/token-service/src/profile.proto');
    app.connectMicroservice({
      transport: Transport.GRPC,
      options: { package: 'profile', protoPath, url: `127.0.0.1:${grpcPort}` },
    });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const token = await app.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });
    const authorization = `Bearer ${token}`;

    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query: '{ me }' }),
    });
    expect(await answer.json()).toEqual({ data: { me: 'user-42' } });

    const socket = io(url, { auth: { token }, forceNew: true });
    socket.emit('me');
    expect(await new Promise((resolve) => socket.once('me', resolve))).toBe('user-42');
    socket.disconnect();

    const { profile } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
      profile: {
        ProfileService: new (
          address: string,
          security: unknown,
        ) => Record<string, (...args: unknown[]) => void>;
      };
    };
    const client = new profile.ProfileService(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', authorization);
    const reply = await new Promise((resolve) =>
      client['Me']?.({}, metadata, (_: unknown, value: unknown) => resolve(value)),
    );
    expect(reply).toEqual({ name: 'user-42' });
    client['close']?.();
    await app.close();
  });

  test('the token somewhere else, and tokens that are revoked', () =>
    withAwsEnvironment(async () => {
      const { RevocationModule, revokedIds } = await load('src/recipes/revocation.module.js');
      const module = await init(RevocationModule as never);
      const jwt = module.get(KmsJwtService, { strict: false });
      const token = await jwt.sign({}, { jwtid: 'one' });
      await expect(jwt.verify(token)).resolves.toMatchObject({ jti: 'one' });
      (revokedIds as unknown as Set<string>).add('one');
      await expect(jwt.verify(token)).rejects.toMatchObject({ code: 'token_revoked' });
      await module.close();
    }));

  test('configuration that comes from elsewhere', () =>
    withAwsEnvironment(async () => {
      const { AsyncModule } = await load('src/recipes/async.module.js');
      const module = await init(AsyncModule as never);
      await expect(module.get(KmsJwtService, { strict: false }).sign({})).resolves.toBeTypeOf('string');
      await module.close();
    }));

  test('tests without AWS', async () => {
    // A config of its own, or vitest would take this project's.
    await writeFile(join(COMPILED, 'vitest.config.mjs'), 'export default {};\n');
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const { stdout } = await exec(process.execPath, [vitest, 'run', '--root', COMPILED], {
      env: { ...environment(), NO_COLOR: '1' },
    });
    expect(stdout).toMatch(/Tests {2}1 passed/);
  });

  test('a KMS on your machine, which keeps its key', async () => {
    const script = join(COMPILED, 'tools/local-kms.js');
    const keyOf = async () => {
      const port = await freePort();
      const server = await start(
        process.execPath,
        [script],
        environment({ PORT: `${port}` }),
        /export (\w+)=(\S+)/,
      );
      try {
        expect(server.found[1]).toBe('AWS_ENDPOINT_URL_KMS');
        const exports = block('export AWS_ENDPOINT_URL_KMS=').replace(':4599', `:${port}`);
        const describeKey = 'aws kms describe-key --key-id alias/auth --query KeyMetadata.Arn --output text';
        return await bash(`${exports}\n${describeKey}`, { ...environment(), AWS_ENDPOINT_URL_KMS: '' });
      } finally {
        await server.stop();
      }
    };
    const first = await keyOf();
    expect(first).toMatch(/^arn:aws:kms:us-east-1:/);
    expect(await keyOf()).toBe(first);
    expect((await readFile(join(folder, 'local-kms.json'), 'utf8')).length).toBeGreaterThan(0);
  });

  test('claims with types, and tokens for different uses', async () => {
    const typed = await load('src/recipes/typed-claims.js');
    const refresh = await load('src/recipes/refresh-token.js');
    const client = localKms.client();
    const module = await init(KmsJwtModule.forRoot({ keyId: 'alias/auth', client }) as never);
    const jwt = module.get(KmsJwtService);
    const call = (run: unknown, ...args: unknown[]) =>
      (run as (...given: unknown[]) => Promise<unknown>)(jwt, ...args);

    const tenant = '0b7a3e0c-5d4f-4f0b-9d59-8a1f6b0f9a01';
    expect(await call(typed['tenantOf'], await jwt.sign({ sub: 's', tenant }, { expiresIn: 60 }))).toBe(
      tenant,
    );
    const wrong = jwt.sign({ sub: 's', tenant: 'no uuid' }, { expiresIn: 60 });
    await expect(call(typed['tenantOf'], await wrong)).rejects.toMatchObject({ claim: 'tenant' });

    const refreshToken = (await call(refresh['issueRefreshToken'], 'user-42')) as string;
    expect(await call(refresh['readRefreshToken'], refreshToken)).toMatchObject({ sub: 'user-42' });
    await expect(jwt.verify(refreshToken)).rejects.toMatchObject({ name: 'TokenMalformedError' });
    await expect(call(refresh['readRefreshToken'], await jwt.sign({}))).rejects.toMatchObject({
      code: /^token_/ as never,
    });
    await module.close();
  });

  test('several keys in one app', () =>
    withAwsEnvironment(async () => {
      await bash(
        'aws kms create-alias --alias-name alias/internal --target-key-id "$(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)"',
      );
      const { NamedModule } = await load('src/recipes/named.module.js');

      const named = (await init(NamedModule as never)).createNestApplication({ logger: false });
      await named.listen(0, '127.0.0.1');
      const internal = `${await named.getUrl()}/internal`;
      const token = await (await fetch(`${internal}/token`)).text();
      expect((await fetch(`${internal}/report`)).status).toBe(401);
      const report = await fetch(`${internal}/report`, { headers: { authorization: `Bearer ${token}` } });
      expect(await report.json()).toEqual({ ok: true });
      await named.close();
    }));

  test('the runbook of a rotation', async () => {
    const client = localKms.client();
    const times = { refreshInterval: 1, activationDelay: 1, retireAfter: 60 };
    const module = await init(KmsJwtModule.forRoot({ keyId: 'alias/auth', client, ...times }) as never);
    const jwt = module.get(KmsJwtService);
    const oldToken = await jwt.sign({ sub: 'user-42' });
    const signingKey = async () => jwt.decode(await jwt.sign({}), { complete: true }).header.kid;

    const old = (await bash(block('aws kms describe-key'))).trim();
    expect(old).toBe(jwt.decode(oldToken, { complete: true }).header.kid);
    await expect.poll(signingKey, { timeout: 10_000 }).not.toBe(old);
    expect((await jwt.jwks()).keys.map(({ kid }) => kid)).toContain(old);

    await bash(block('aws kms disable-key'), environment({ OLD: old }));
    expect(localKms.keys.find(({ keyId }) => keyId === old)?.keyState).toBe('Disabled');
    await expect(jwt.verify(oldToken)).resolves.toMatchObject({ sub: 'user-42' });
    await expect(jwt.verify(await jwt.sign({}))).resolves.toBeDefined();
    await module.close();
  });

  test('the key set, and a service that only verifies', () =>
    withAwsEnvironment(async () => {
      process.env['RING_FILE'] = join(folder, 'ring.json');
      const { RotationModule } = await load('src/recipes/rotation.module.js');
      const issuer = (await init(RotationModule as never)).createNestApplication({ logger: false });
      await issuer.listen(0, '127.0.0.1');
      const url = await issuer.getUrl();
      process.env['JWKS_URI'] = `${url}/.well-known/jwks.json`;
      const { ResourceModule } = await load('src/recipes/resource.module.js');
      const resource = await init(ResourceModule as never);

      const token = await issuer.get(KmsJwtService, { strict: false }).sign({ sub: 'user-42' });
      const verifier = resource.get(KmsJwtService, { strict: false });
      await expect(verifier.verify(token)).resolves.toMatchObject({ sub: 'user-42' });
      await expect(verifier.sign({})).rejects.toMatchObject({ option: 'keyId' });
      const discovery = await fetch(`${url}/.well-known/openid-configuration`);
      expect(await discovery.json()).toMatchObject({
        jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
      });
      await resource.close();
      await issuer.close();
    }));

  test('a Multi-Region key', () =>
    withAwsEnvironment(async () => {
      // One endpoint stands for both Regions, with the key under the name that the recipe gives.
      const replicas = new LocalKms({
        region: 'eu-central-1',
        keys: [{ keyId: 'mrk-1234abcd12ab34cd56ef1234567890ab' }],
      });
      const server = await replicas.listen();
      process.env['AWS_ENDPOINT_URL_KMS'] = server.url;
      const { RegionsModule } = await load('src/recipes/regions.module.js');
      const module = await init(RegionsModule as never);
      const jwt = module.get(KmsJwtService, { strict: false });
      await expect(jwt.verify(await jwt.sign({ sub: 's' }))).resolves.toMatchObject({ sub: 's' });
      await module.close();
      await server.close();
    }));
});

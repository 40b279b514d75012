import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import fs, {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DeleteAliasCommand,
  DisableKeyCommand,
  GetPublicKeyCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { errorOf, isSignatureOf, message } from '../support.js';

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'local-kms-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'keys.json');
  const start = () => new LocalKms({ file, keys: [{ alias: 'auth' }] });
  return { folder, file, start };
}

/** Changes the contents of a key file. */
function edit(file: string, change: (contents: Contents) => unknown): void {
  const contents = JSON.parse(readFileSync(file, 'utf8')) as Contents;
  writeFileSync(file, JSON.stringify(change(contents) ?? contents));
}

/** The path of the draft that replaces the file during `write`. */
function draftOf(write: () => unknown): string {
  const { renameSync } = fs;
  let draft = '';
  fs.renameSync = (from, to) => {
    draft = String(from);
    renameSync(from, to);
  };
  syncBuiltinESMExports();
  try {
    write();
  } finally {
    fs.renameSync = renameSync;
    syncBuiltinESMExports();
  }
  return draft;
}

interface Contents {
  version: number;
  keys: Record<string, unknown>[];
  aliases: Record<string, unknown>[];
}

describe('a key file', () => {
  test('has mode 600, and leaves no temporary file', () => {
    const { folder, file, start } = setUp();
    start();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  test('keeps the keys across a restart, so that earlier signatures verify', async () => {
    const { start } = setUp();
    const before = start();
    const { Signature } = await before
      .client()
      .send(new SignCommand({ KeyId: 'alias/auth', Message: message, SigningAlgorithm: 'ECDSA_SHA_256' }));
    const after = start();
    expect(after.keys).toEqual(before.keys);
    expect(await isSignatureOf(after.client(), 'alias/auth', 'sha256', Signature)).toBe(true);
  });

  test('keeps keys of every spec, their states and the aliases', async () => {
    const { file, start } = setUp();
    const before = start();
    const client = before.client();
    for (const [KeySpec, KeyUsage] of [
      ['ECC_NIST_P384', 'SIGN_VERIFY'],
      ['ECC_NIST_P521', 'SIGN_VERIFY'],
      ['ECC_SECG_P256K1', 'SIGN_VERIFY'],
      ['RSA_2048', 'ENCRYPT_DECRYPT'],
      ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
      ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ] as const) {
      await client.send(new CreateKeyCommand({ KeySpec, KeyUsage, MultiRegion: KeySpec === 'RSA_2048' }));
    }
    const [first, second, third, , , , last] = before.keys;
    await client.send(new DisableKeyCommand({ KeyId: second!.keyId }));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: third!.keyId }));
    await client.send(new CreateAliasCommand({ AliasName: 'alias/old', TargetKeyId: first!.keyId }));
    await client.send(new CreateAliasCommand({ AliasName: 'alias/gone', TargetKeyId: first!.keyId }));
    await client.send(new DeleteAliasCommand({ AliasName: 'alias/gone' }));
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: last!.keyId }));

    const after = start();
    expect(after.keys).toEqual(before.keys);
    expect(after.keys.map((key) => key.keyState).slice(0, 4)).toEqual([
      'Enabled',
      'Disabled',
      'PendingDeletion',
      'Enabled',
    ]);
    expect(after.keys.at(-1)!.aliases.map((alias) => alias.aliasName)).toEqual(['alias/auth']);
    for (const { keyId: KeyId } of [first!, before.keys[3]!, before.keys[4]!, last!]) {
      const command = new GetPublicKeyCommand({ KeyId });
      const [one, other] = [await client.send(command), await after.client().send(command)];
      expect(other.PublicKey).toEqual(one.PublicKey);
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('gains the keys and aliases that later options add, none of them twice', () => {
    const { file } = setUp();
    const keyId = '11111111-2222-4333-8444-555555555555';
    expect(new LocalKms({ file, keys: [{ keyId }] }).keys).toHaveLength(1);
    const { keys } = new LocalKms({ file, keys: [{ keyId, alias: 'auth' }, { alias: 'other' }] });
    expect(keys.map((key) => key.aliases.map((alias) => alias.aliasName))).toEqual([
      ['alias/auth'],
      ['alias/other'],
    ]);
    expect(keys[0]!.keyId).toBe(keyId);
    expect(new LocalKms({ file, keys: [{ alias: 'auth' }, { alias: 'other' }] }).keys).toEqual(keys);
  });

  test.skipIf(process.platform === 'win32')('is refused at once if it is a pipe', () => {
    const { file, start } = setUp();
    execFileSync('mkfifo', ['-m', '600', file]);
    // A writer, in case start() would wait for one.
    const writer = spawn('sh', ['-c', 'sleep 2; echo > "$1"', 'sh', file]);
    onTestFinished(() => void writer.kill());
    const started = performance.now();
    expect(start).toThrow(`LocalKms cannot use the key file ${file}: it is not a file`);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test.each([
    ['no JSON', 'private text'],
    ['a part of a key', '{"privateKey": MIGHAgEA'],
    ['nothing', ''],
  ])('is refused if it contains %s, which no message quotes', (_, text) => {
    const { file, start } = setUp();
    writeFileSync(file, text, { mode: 0o600 });
    expect(start).toThrow(`LocalKms cannot use the key file ${file}: it is not valid JSON`);
  });

  test('is refused if it is a directory', () => {
    const { file, start } = setUp();
    mkdirSync(file);
    expect(start).toThrow(`LocalKms cannot use the key file ${file}: it is not a file`);
  });

  test.each<[string, (before: LocalKms, start: () => LocalKms) => unknown]>([
    ['the next start', (_, start) => start()],
    ['the next write', (before) => before.client().send(new CreateKeyCommand({}))],
  ])('has no drafts of killed processes next to it after %s', async (_, next) => {
    const { folder, start } = setUp();
    let before!: LocalKms;
    const draft = basename(draftOf(() => (before = start())));
    const draftBy = (pid: number) => draft.replace(`.${process.pid}.`, `.${pid}.`);
    const killed = spawn('sleep', ['60']);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    // An earlier process may have had the same id, as in a container.
    const abandoned = [draft, draftBy(killed.pid!)];
    const others = [draftBy(process.ppid), draft.replace('keys', 'other'), 'keys.json.tmp'];
    for (const name of [...abandoned, ...others]) writeFileSync(join(folder, name), '{');
    await next(before, start);
    expect(readdirSync(folder).toSorted()).toEqual(['keys.json', ...others].toSorted());
  });

  test.skipIf(process.platform === 'win32').each(['640', '604', '620', '644'])(
    'is refused if other users can access it (mode %s)',
    (mode) => {
      const { file, start } = setUp();
      start();
      chmodSync(file, Number.parseInt(mode, 8));
      expect(start).toThrow(`LocalKms cannot use the key file ${file}: it holds private keys`);
      expect(start).toThrow(`mode ${mode}`);
    },
  );

  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  test.each<[string, (contents: Contents) => unknown, string]>([
    ['that is an array', () => [], 'the file must be an object'],
    ['of another version', (file) => void (file.version = 2), 'version must be 1'],
    ['without keys', (file) => ({ version: 1, aliases: file.aliases }), 'keys must be an array'],
    ['with an unknown member', (file) => ({ ...file, more: 1 }), 'the file.more is unknown'],
    ['with a key that is null', (file) => void (file.keys[0] = null as never), 'keys[0] must be an object'],
    ['with an invalid keyId', (file) => void (file.keys[0]!.keyId = 'x'), 'keys[0].keyId must'],
    ['with an invalid keySpec', (file) => void (file.keys[0]!.keySpec = 'toString'), 'keys[0].keySpec must'],
    [
      'with an invalid keyUsage',
      (file) => void (file.keys[0]!.keyUsage = 'ENCRYPT_DECRYPT'),
      'keys[0].keyUsage must',
    ],
    ['with an invalid keyState', (file) => void (file.keys[0]!.keyState = 'Fine'), 'keys[0].keyState must'],
    [
      'with an invalid creationDate',
      (file) => void (file.keys[0]!.creationDate = 'soon'),
      'keys[0].creationDate must',
    ],
    ['without a private key', (file) => void delete file.keys[0]!.privateKey, 'keys[0].privateKey must'],
    [
      'with a private key of another spec',
      (file) => void (file.keys[0]!.privateKey = rsa),
      'keys[0].privateKey must be',
    ],
    [
      'with an invalid aliasName',
      (file) => void (file.aliases[0]!.aliasName = 'auth'),
      'aliases[0].aliasName must',
    ],
    [
      'with an alias of an unknown key',
      (file) => void (file.aliases[0]!.targetKeyId = 'x'),
      'aliases[0].targetKeyId must',
    ],
  ])('is refused %s', (_, change, problem) => {
    const { file, start } = setUp();
    start();
    edit(file, change);
    expect(start).toThrow(`LocalKms cannot use the key file ${file}: ${problem}`);
  });

  test.each(['', '{"version":1,"ke', 'no JSON'])('is refused if it is not complete JSON: %j', (contents) => {
    const { file, start } = setUp();
    writeFileSync(file, contents, { mode: 0o600 });
    expect(start).toThrow(`LocalKms cannot use the key file ${file}: `);
    expect(readFileSync(file, 'utf8')).toBe(contents);
  });

  test('causes KMSInternalException if it cannot be written', async () => {
    const { folder, start } = setUp();
    const localKms = start();
    rmSync(folder, { recursive: true });
    onTestFinished(() => writeFileSync(folder, ''));
    const error = await errorOf(localKms.client({ maxAttempts: 1 }).send(new CreateKeyCommand({})));
    expect(error).toMatchObject({ name: 'KMSInternalException', $metadata: { httpStatusCode: 500 } });
    expect(error.message).toContain('ENOENT');
  });

  test('must be in an existing folder, or the constructor throws', () => {
    const { folder } = setUp();
    const file = join(folder, 'missing', 'keys.json');
    expect(() => new LocalKms({ file, keys: [{ alias: 'auth' }] })).toThrow(
      /^LocalKms cannot write the key file \S+keys\.json \(ENOENT\): check that its folder exists/,
    );
  });
});

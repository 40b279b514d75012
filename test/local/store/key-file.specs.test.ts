import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetPublicKeyCommand, SignCommand, VerifyCommand } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { message } from '../support.js';
import { ALGORITHM_CASES, SIGNING_SPECS } from '../operations/algorithms.js';

interface Contents {
  version: number;
  keys: { keySpec: string; privateKey?: string; [member: string]: unknown }[];
  aliases: unknown[];
}

const folder = mkdtempSync(join(tmpdir(), 'local-kms-'));
const file = join(folder, 'keys.json');
let before: LocalKms;
let contents: Contents;

// One key of each spec, whose alias is the name of the spec.
beforeAll(() => {
  before = new LocalKms({ file, keys: SIGNING_SPECS.map((keySpec) => ({ alias: keySpec, keySpec })) });
  contents = JSON.parse(readFileSync(file, 'utf8')) as Contents;
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts with a file that has only the key of `keySpec`, with these members changed. */
function startWith(keySpec: LocalKmsKeySpec, members: object): LocalKms {
  const key = contents.keys.find((each) => each.keySpec === keySpec);
  const path = join(folder, 'other.json');
  const text = JSON.stringify({ version: 1, keys: [{ ...key, ...members }], aliases: [] });
  writeFileSync(path, text, { mode: 0o600 });
  return new LocalKms({ file: path });
}

function pemOf({ privateKey }: { privateKey: KeyObject }): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

describe('a key file', () => {
  test('is of version 1 and has each private key as PKCS #8 in PEM', () => {
    expect(contents.version).toBe(1);
    expect(contents.keys.map((key) => key.keySpec)).toEqual(SIGNING_SPECS);
    for (const { privateKey } of contents.keys) {
      expect(privateKey).toMatch(
        /^-----BEGIN PRIVATE KEY-----\n(?:[\w+/=]{1,64}\n)+-----END PRIVATE KEY-----\n$/,
      );
    }
  });

  test.each(ALGORITHM_CASES)(
    'keeps a key of spec $keySpec, so that earlier signatures by $algorithm verify',
    async ({ keySpec, algorithm, messages }) => {
      const KeyId = `alias/${keySpec}`;
      const client = before.client();
      const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }));
      const MessageType = messages.RAW ? 'RAW' : 'DIGEST';
      const Message = messages[MessageType]!(message, PublicKey!);
      const input = { KeyId, SigningAlgorithm: algorithm, MessageType, Message } as const;
      const { Signature } = await client.send(new SignCommand(input));

      const after = new LocalKms({ file });
      expect(after.keys).toEqual(before.keys);
      const answer = await after.client().send(new GetPublicKeyCommand({ KeyId }));
      expect(answer.PublicKey).toEqual(PublicKey);
      const verified = await after.client().send(new VerifyCommand({ ...input, Signature }));
      expect(verified.SignatureValid).toBe(true);
    },
  );

  test.each<[LocalKmsKeySpec, () => { publicKey: KeyObject; privateKey: KeyObject }]>([
    ['ECC_NIST_P256', () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })],
    ['ECC_NIST_P384', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' })],
    ['ECC_NIST_P521', () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' })],
    ['ECC_SECG_P256K1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
    ['ECC_NIST_EDWARDS25519', () => generateKeyPairSync('ed25519')],
    ['RSA_2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['RSA_3072', () => generateKeyPairSync('rsa', { modulusLength: 3072 })],
  ])('may have a key of spec %s as node:crypto exports it', async (keySpec, generate) => {
    const pair = generate();
    const localKms = startWith(keySpec, { privateKey: pemOf(pair) });
    const KeyId = localKms.keys[0]!.keyId;
    const { PublicKey } = await localKms.client().send(new GetPublicKeyCommand({ KeyId }));
    expect(Buffer.from(PublicKey!)).toEqual(pair.publicKey.export({ type: 'spki', format: 'der' }));
  });

  test.each(SIGNING_SPECS)('is refused if a key of spec %s has a private key of another spec', (keySpec) => {
    const others = contents.keys.filter((key) => key.keySpec !== keySpec);
    expect(others).toHaveLength(SIGNING_SPECS.length - 1);
    for (const { privateKey } of others) {
      expect(() => startWith(keySpec, { privateKey })).toThrow(
        `keys[0].privateKey must be a key of spec ${keySpec}.`,
      );
    }
  });

  test('is refused if a key of spec RSA_2048 is restricted to PSS', () => {
    const privateKey = pemOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }));
    expect(() => startWith('RSA_2048', { privateKey })).toThrow(
      'keys[0].privateKey must be a key of spec RSA_2048.',
    );
  });

  test.each(SIGNING_SPECS)('is refused if the private key of spec %s is cut short', (keySpec) => {
    const { privateKey = '' } = contents.keys.find((key) => key.keySpec === keySpec) ?? {};
    const lines = privateKey.split('\n');
    const shorter = [lines[0], lines[1]?.slice(0, 40), ...lines.slice(-2)].join('\n');
    expect(() => startWith(keySpec, { privateKey: shorter })).toThrow(
      `keys[0].privateKey must be a key of spec ${keySpec}.`,
    );
  });
});

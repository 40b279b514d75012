import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetPublicKeyCommand,
  type KMSClient,
  KMSInvalidSignatureException,
  type MessageType,
  SignCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digest, errorOf, message } from '../support.js';
import { ALGORITHM_CASES, type AlgorithmCase, SIGNING_SPECS } from './algorithms.js';

const otherMessage = Buffer.from('header.payload2');
const folder = mkdtempSync(join(tmpdir(), 'local-kms-'));
const file = join(folder, 'keys.json');
let client: KMSClient;
/** The private keys as in the key file: PKCS #8 in PEM. */
let privateKeys: Map<string, string>;

// Two keys of each spec, with the aliases <spec> and <spec>-other.
beforeAll(() => {
  const keys = SIGNING_SPECS.flatMap((keySpec) => [
    { alias: keySpec, keySpec },
    { alias: `${keySpec}-other`, keySpec },
  ]);
  const localKms = new LocalKms({ file, keys });
  client = localKms.client();
  const stored = JSON.parse(readFileSync(file, 'utf8')) as { keys: { keyId: string; privateKey: string }[] };
  privateKeys = new Map(stored.keys.map(({ keyId, privateKey }) => [keyId, privateKey]));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

interface Signed {
  readonly KeyId?: string;
  readonly data?: Buffer;
  readonly messageType?: MessageType;
}

/** The members that Sign and Verify share. */
async function inputOf({ keySpec, algorithm, messages }: AlgorithmCase, signed: Signed = {}) {
  const { KeyId = `alias/${keySpec}`, data = message } = signed;
  const { messageType: MessageType = Object.keys(messages)[0] as MessageType } = signed;
  const Message = messages[MessageType]!(data, await publicKeyOf(KeyId));
  return { KeyId, SigningAlgorithm: algorithm, MessageType, Message };
}

async function publicKeyOf(KeyId: string): Promise<Uint8Array> {
  return (await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey!;
}

async function privateKeyOf(keySpec: LocalKmsKeySpec): Promise<string> {
  const { KeyId } = await client.send(new GetPublicKeyCommand({ KeyId: `alias/${keySpec}` }));
  return privateKeys.get(KeyId!.split('/')[1]!)!;
}

async function signatureOf(row: AlgorithmCase, signed?: Signed): Promise<Uint8Array> {
  return (await client.send(new SignCommand(await inputOf(row, signed)))).Signature!;
}

async function refusalOf(row: AlgorithmCase, Signature: Uint8Array, signed?: Signed): Promise<unknown> {
  return errorOf(client.send(new VerifyCommand({ ...(await inputOf(row, signed)), Signature })));
}

describe.each(ALGORITHM_CASES)('$algorithm with a key of spec $keySpec', (row) => {
  const { keySpec, algorithm, references, length } = row;
  const messageTypes = Object.keys(row.messages) as MessageType[];

  test.each(messageTypes)(
    'signs a message given as %s so that other implementations verify it',
    async (messageType) => {
      const { Signature, ...answer } = await client.send(
        new SignCommand(await inputOf(row, { messageType })),
      );
      expect(answer).toMatchObject({
        KeyId: expect.stringMatching(/^arn:/) as string,
        SigningAlgorithm: algorithm,
      });
      const publicKey = await publicKeyOf(`alias/${keySpec}`);
      for (const reference of references) {
        expect(reference.verify(publicKey, message, Signature!)).toBe(true);
        expect(reference.verify(publicKey, otherMessage, Signature!)).toBe(false);
      }
      if (length !== undefined) expect(Signature).toHaveLength(length);
    },
  );

  test.each(messageTypes)(
    'verifies a message given as %s that other implementations signed',
    async (messageType) => {
      for (const reference of references) {
        const Signature = reference.sign(await privateKeyOf(keySpec), message);
        const input = await inputOf(row, { messageType });
        expect(await client.send(new VerifyCommand({ ...input, Signature }))).toMatchObject({
          KeyId: expect.stringMatching(/^arn:/) as string,
          SignatureValid: true,
          SigningAlgorithm: algorithm,
        });
      }
    },
  );

  test.each(messageTypes)('refuses the signature of another message given as %s', async (messageType) => {
    const Signature = await signatureOf(row, { messageType });
    const error = await refusalOf(row, Signature, { messageType, data: otherMessage });
    expect(error).toBeInstanceOf(KMSInvalidSignatureException);
  });

  test('refuses the signature of another key', async () => {
    const Signature = await signatureOf(row, { KeyId: `alias/${keySpec}-other` });
    expect(await refusalOf(row, Signature)).toBeInstanceOf(KMSInvalidSignatureException);
  });

  test('refuses a signature with a flipped bit', async () => {
    const signature = await signatureOf(row);
    for (const index of [0, Math.floor(signature.length / 2), signature.length - 1]) {
      const flipped = Buffer.from(signature);
      flipped.writeUInt8(flipped.readUInt8(index) ^ 1, index);
      expect(await refusalOf(row, flipped)).toBeInstanceOf(KMSInvalidSignatureException);
    }
  });

  test('refuses a malformed signature', async () => {
    const signature = await signatureOf(row);
    const malformed = [
      Buffer.of(0),
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([signature, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), signature]),
      Buffer.alloc(signature.length),
      Buffer.alloc(signature.length, 0xff),
    ];
    for (const bytes of malformed) {
      expect(await refusalOf(row, bytes)).toBeInstanceOf(KMSInvalidSignatureException);
    }
  });

  const others = ALGORITHM_CASES.filter((each) => each.keySpec === keySpec && each !== row);
  test.each(others)('refuses a signature of the same key by $algorithm', async (other) => {
    const Signature = await signatureOf(other);
    expect(await refusalOf(row, Signature)).toBeInstanceOf(KMSInvalidSignatureException);
  });
});

describe('ED25519_PH_SHA_512', () => {
  test('signs like PyCryptodome, which hashes the digest again', async () => {
    // The key of RFC 8032, section 7.3. In Python: eddsa.new(key, 'rfc8032').sign(SHA512.new(digest))
    const seed = Buffer.from('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42', 'hex');
    const stored = JSON.parse(readFileSync(file, 'utf8')) as { keys: Record<string, unknown>[] };
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    const privateKey = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`;
    const key = { ...stored.keys.find((each) => each['keySpec'] === 'ECC_NIST_EDWARDS25519'), privateKey };
    const path = join(folder, 'rfc-8032.json');
    writeFileSync(path, JSON.stringify({ version: 1, keys: [key], aliases: [] }), { mode: 0o600 });
    const localKms = new LocalKms({ file: path });
    const { Signature } = await localKms.client().send(
      new SignCommand({
        KeyId: localKms.keys[0]!.keyId,
        SigningAlgorithm: 'ED25519_PH_SHA_512',
        MessageType: 'DIGEST',
        Message: digest('sha512'),
      }),
    );
    expect(Buffer.from(Signature!).toString('hex')).toBe(
      'd5c2459a8c5e7be113f98c2bc272d9b8fc1cc48d3b98ed58ef1053f8cb587e18115bbc972a6774a2b4912993b6938fcb1cd93efbe5b2c9022429ee10c4262e06',
    );
  });
});

import {
  DisableKeyCommand,
  DryRunOperationException,
  KMSInvalidSignatureException,
  KMSServiceException,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type SigningAlgorithmSpec,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { digest, errorOf, isSignatureOf, message } from '../support.js';

const specs: [LocalKmsKeySpec, SigningAlgorithmSpec, string][] = [
  ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
  ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
  ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512'],
  ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256'],
];

function setUp(keySpec: LocalKmsKeySpec = 'ECC_NIST_P256') {
  const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec }] });
  return { localKms, client: localKms.client(), key: localKms.keys[0]! };
}

describe.each(specs)('a key of spec %s', (keySpec, algorithm, hash) => {
  const { client, key } = setUp(keySpec);
  const signed = { KeyId: key.keyId, SigningAlgorithm: algorithm };

  test('signs a DIGEST without hashing it', async () => {
    const answer = await client.send(
      new SignCommand({ ...signed, Message: digest(hash), MessageType: 'DIGEST' }),
    );
    expect(answer).toMatchObject({ KeyId: key.arn, SigningAlgorithm: algorithm });
    expect(answer.Signature).toBeInstanceOf(Uint8Array);
    expect(await isSignatureOf(client, key.keyId, hash, answer.Signature)).toBe(true);
  });

  test('hashes a RAW message before signing', async () => {
    const { Signature } = await client.send(
      new SignCommand({ ...signed, Message: message, MessageType: 'RAW' }),
    );
    expect(await isSignatureOf(client, key.keyId, hash, Signature)).toBe(true);
  });

  test('verifies its own signatures, and no other message', async () => {
    for (let index = 0; index < 50; index += 1) {
      const data = Buffer.from(`message ${index}`);
      const { Signature } = await client.send(new SignCommand({ ...signed, Message: data }));
      expect(await isSignatureOf(client, key.keyId, hash, Signature, data)).toBe(true);
      const verified = await client.send(new VerifyCommand({ ...signed, Message: data, Signature }));
      expect(verified).toMatchObject({ KeyId: key.arn, SignatureValid: true, SigningAlgorithm: algorithm });
      const error = await errorOf(client.send(new VerifyCommand({ ...signed, Message: message, Signature })));
      expect(error).toBeInstanceOf(KMSInvalidSignatureException);
    }
  });
});

describe('Sign', () => {
  const ecdsa = { KeyId: 'alias/auth', SigningAlgorithm: 'ECDSA_SHA_256' } as const;

  test('returns a P-256 signature of 68 to 72 bytes, different each time', async () => {
    const { client } = setUp();
    const signatures = new Set<string>();
    for (let index = 0; index < 50; index += 1) {
      const { Signature } = await client.send(new SignCommand({ ...ecdsa, Message: message }));
      expect(Signature!.length).toBeGreaterThanOrEqual(68);
      expect(Signature!.length).toBeLessThanOrEqual(72);
      signatures.add(Buffer.from(Signature!).toString('hex'));
    }
    expect(signatures.size).toBe(50);
  });

  test('treats the message as RAW by default, so a digest is hashed again', async () => {
    const { client } = setUp();
    const hashed = digest('sha256');
    const { Signature } = await client.send(new SignCommand({ ...ecdsa, Message: hashed }));
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature)).toBe(false);
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature, hashed)).toBe(true);
  });

  test('accepts a RAW message of 4,096 bytes, and rejects one byte more', async () => {
    const { client } = setUp();
    const longest = Buffer.alloc(4096, 'a');
    const { Signature } = await client.send(new SignCommand({ ...ecdsa, Message: longest }));
    expect(await isSignatureOf(client, 'alias/auth', 'sha256', Signature, longest)).toBe(true);

    const error = await errorOf(client.send(new SignCommand({ ...ecdsa, Message: Buffer.alloc(4097) })));
    expect(error.name).toBe('ValidationException');
    expect(error.message).toMatch(
      /^1 validation error detected: Value .* at 'message' failed to satisfy constraint: Member must have length less than or equal to 4096$/,
    );
  });

  test.each([1, 31, 33, 64])('rejects a DIGEST of %i bytes for a 32-byte hash', async (length) => {
    const { client } = setUp();
    const error = await errorOf(
      client.send(new SignCommand({ ...ecdsa, Message: Buffer.alloc(length), MessageType: 'DIGEST' })),
    );
    expect(error).toMatchObject({
      name: 'ValidationException',
      message: 'Digest is invalid length for algorithm ECDSA_SHA_256.',
    });
  });

  test('rejects an empty message', async () => {
    const { client } = setUp();
    const error = await errorOf(client.send(new SignCommand({ ...ecdsa, Message: Buffer.alloc(0) })));
    expect(error.name).toBe('ValidationException');
    expect(error.message).toMatch(/at 'message' .* Member must have length greater than or equal to 1$/);
  });

  test.each([
    [{ MessageType: 'HASH' }, 'messageType', /^\[(?=.*RAW)(?=.*DIGEST).*\]$/],
    [{ SigningAlgorithm: 'ES256' }, 'signingAlgorithm', /^\[(?=.*ECDSA_SHA_256).*\]$/],
  ])('rejects an unknown enumeration value: %o', async (wrong, member, values) => {
    const { client } = setUp();
    const error = await errorOf(
      client.send(new SignCommand({ ...ecdsa, Message: message, ...wrong } as never)),
    );
    expect(error.name).toBe('ValidationException');
    const [head, list] = error.message.split(': Member must satisfy enum value set: ');
    expect(head).toBe(
      `1 validation error detected: Value '${Object.values(wrong)[0]}' at '${member}' failed to satisfy constraint`,
    );
    expect(list).toMatch(values);
  });

  test.each(['KeyId', 'Message', 'SigningAlgorithm'])('rejects an input without %s', async (name) => {
    const { client } = setUp();
    const input = { ...ecdsa, Message: message, [name]: undefined };
    const error = await errorOf(client.send(new SignCommand(input)));
    const member = name.charAt(0).toLowerCase() + name.slice(1);
    expect(error).toMatchObject({
      name: 'ValidationException',
      message: `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    });
  });

  test('rejects an algorithm that does not fit the key spec', async () => {
    const { client } = setUp();
    const error = await errorOf(
      client.send(new SignCommand({ ...ecdsa, SigningAlgorithm: 'ECDSA_SHA_384', Message: message })),
    );
    expect(error).toMatchObject({
      name: 'InvalidKeyUsageException',
      message: 'Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.',
      $metadata: { httpStatusCode: 400 },
    });
  });

  test('rejects an encryption key', async () => {
    const localKms = new LocalKms({
      keys: [{ keySpec: 'RSA_2048', keyUsage: 'ENCRYPT_DECRYPT' }, { keySpec: 'SYMMETRIC_DEFAULT' }],
    });
    const client = localKms.client();
    for (const { arn } of localKms.keys) {
      const error = await errorOf(client.send(new SignCommand({ ...ecdsa, KeyId: arn, Message: message })));
      expect(error).toMatchObject({
        name: 'InvalidKeyUsageException',
        message: `${arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`,
      });
    }
  });

  test('with DryRun throws DryRunOperationException on success, and counts as a call', async () => {
    const { client, localKms } = setUp();
    const error = await errorOf(client.send(new SignCommand({ ...ecdsa, Message: message, DryRun: true })));
    expect(error).toBeInstanceOf(DryRunOperationException);
    expect(localKms.calls.Sign).toBe(1);
  });

  test('with DryRun throws the error of the real call', async () => {
    const { client, key } = setUp();
    await client.send(new DisableKeyCommand({ KeyId: key.keyId }));
    const error = await errorOf(client.send(new SignCommand({ ...ecdsa, Message: message, DryRun: true })));
    expect(error).toMatchObject({ name: 'DisabledException', message: `${key.arn} is disabled.` });
  });
});

describe('Verify', () => {
  const ecdsa = { KeyId: 'alias/auth', SigningAlgorithm: 'ECDSA_SHA_256', Message: message } as const;

  test('throws KMSInvalidSignatureException with an empty message for an invalid signature', async () => {
    const { client } = setUp();
    const { client: otherClient } = setUp();
    const { Signature } = await otherClient.send(new SignCommand(ecdsa));
    const error = await errorOf(client.send(new VerifyCommand({ ...ecdsa, Signature })));
    expect(error).toBeInstanceOf(KMSInvalidSignatureException);
    // The SDK replaces an empty message with this one.
    expect(error.message).toBe('UnknownError');
  });

  test('accepts a DIGEST', async () => {
    const { client } = setUp();
    const { Signature } = await client.send(new SignCommand(ecdsa));
    const hashed = { ...ecdsa, Message: digest('sha256'), MessageType: 'DIGEST' } as const;
    expect(await client.send(new VerifyCommand({ ...hashed, Signature }))).toMatchObject({
      SignatureValid: true,
    });
  });

  test.each([
    ['an empty sequence', '3000'],
    ['bytes that are not DER', 'ff'],
    ['zero integers', '3006020100020100'],
    ['negative integers', '3006020181020181'],
    ['a sequence length beyond its end', '30ff020101020101'],
    ['an integer length beyond its end', '300602ff01020101'],
    [
      'an r equal to the order of the curve',
      '3026022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551020101',
    ],
  ])('throws for a signature with %s', async (_, hex) => {
    const { client } = setUp();
    const Signature = Buffer.from(hex, 'hex');
    const error = await errorOf(client.send(new VerifyCommand({ ...ecdsa, Signature })));
    expect(error).toBeInstanceOf(KMSInvalidSignatureException);
  });

  test('throws for a signature with trailing bytes', async () => {
    const { client } = setUp();
    const { Signature } = await client.send(new SignCommand(ecdsa));
    const longer = Buffer.concat([Signature!, Buffer.alloc(1)]);
    const error = await errorOf(client.send(new VerifyCommand({ ...ecdsa, Signature: longer })));
    expect(error).toBeInstanceOf(KMSInvalidSignatureException);
  });

  test('rejects a signature of more than 6,144 bytes', async () => {
    const { client } = setUp();
    const error = await errorOf(client.send(new VerifyCommand({ ...ecdsa, Signature: Buffer.alloc(6145) })));
    expect(error.name).toBe('ValidationException');
    expect(error.message).toMatch(/at 'signature' .* Member must have length less than or equal to 6144$/);
  });

  test('with DryRun throws DryRunOperationException on success', async () => {
    const { client } = setUp();
    const { Signature } = await client.send(new SignCommand(ecdsa));
    const error = await errorOf(client.send(new VerifyCommand({ ...ecdsa, Signature, DryRun: true })));
    expect(error).toBeInstanceOf(DryRunOperationException);
  });
});

describe.each(['Sign', 'Verify'])('%s with a key that is not Enabled', (operation) => {
  const command = (KeyId: string) => {
    const input = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256', Message: message } as const;
    return operation === 'Sign'
      ? new SignCommand(input)
      : (new VerifyCommand({ ...input, Signature: Buffer.from('3006020101020101', 'hex') }) as never);
  };

  test('throws DisabledException if it is Disabled', async () => {
    const { client, key } = setUp();
    await client.send(new DisableKeyCommand({ KeyId: key.keyId }));
    const error = await errorOf(client.send(command('alias/auth')));
    expect(error).toMatchObject({ name: 'DisabledException', message: `${key.arn} is disabled.` });
  });

  test('throws KMSInvalidStateException if it is PendingDeletion', async () => {
    const { client, key } = setUp();
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: key.keyId }));
    const error = await errorOf(client.send(command(key.arn)));
    expect(error).toBeInstanceOf(KMSServiceException);
    expect(error).toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${key.arn} is pending deletion.`,
    });
  });
});

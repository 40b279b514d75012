import { type MessageType, SignCommand, type SigningAlgorithmSpec, VerifyCommand } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsKeySpec } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { errorOf } from '../support.js';
import { SIGNING_SPECS } from './algorithms.js';

type Row = [LocalKmsKeySpec, SigningAlgorithmSpec, MessageType | undefined];

/** Without the longer RSA keys, which take seconds to generate: their rules are those of RSA_2048. */
const specs = SIGNING_SPECS.filter((keySpec) => !/^RSA_[34]/.test(keySpec));
const client = new LocalKms({ keys: specs.map((keySpec) => ({ alias: keySpec, keySpec })) }).client();

/** The error that both Sign and Verify must throw for a message of this length. */
async function refusalOf([keySpec, SigningAlgorithm, MessageType]: Row, length: number) {
  const input = {
    KeyId: `alias/${keySpec}`,
    SigningAlgorithm,
    MessageType,
    Message: Buffer.alloc(length, 'a'),
  };
  const signing = await errorOf(client.send(new SignCommand(input)));
  const verifying = await errorOf(client.send(new VerifyCommand({ ...input, Signature: Buffer.alloc(64) })));
  expect(verifying).toMatchObject({ name: signing.name, message: signing.message });
  return signing;
}

describe('Sign and Verify', () => {
  test.each<Row>([
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'EXTERNAL_MU'],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'EXTERNAL_MU'],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512', 'EXTERNAL_MU'],
    ['RSA_2048', 'RSASSA_PSS_SHA_512', 'EXTERNAL_MU'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'EXTERNAL_MU'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'DIGEST'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 'EXTERNAL_MU'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 'RAW'],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', 'DIGEST'],
    ['ML_DSA_65', 'ML_DSA_SHAKE_256', 'DIGEST'],
    ['ML_DSA_87', 'ML_DSA_SHAKE_256', 'DIGEST'],
  ])('with %s and %s reject %s', async (...row) => {
    expect(await refusalOf(row, 64)).toMatchObject({
      name: 'ValidationException',
      message: `MessageType ${row[2]} is incompatible with algorithm ${row[1]}.`,
    });
  });

  test('with ED25519_PH_SHA_512 reject a message without MessageType, which is RAW', async () => {
    const error = await refusalOf(['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', undefined], 64);
    expect(error).toMatchObject({
      name: 'ValidationException',
      message: 'MessageType RAW is incompatible with algorithm ED25519_PH_SHA_512.',
    });
  });

  test.each<[...Row, number]>([
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'DIGEST', 48],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'DIGEST', 64],
    ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'DIGEST', 32],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'DIGEST', 32],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_384', 'DIGEST', 48],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512', 'DIGEST', 64],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'DIGEST', 32],
    ['RSA_2048', 'RSASSA_PSS_SHA_384', 'DIGEST', 48],
    ['RSA_2048', 'RSASSA_PSS_SHA_512', 'DIGEST', 64],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 'DIGEST', 64],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', 64],
    ['ML_DSA_65', 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', 64],
    ['ML_DSA_87', 'ML_DSA_SHAKE_256', 'EXTERNAL_MU', 64],
  ])(
    'with %s and %s reject a message for %s that has not %i bytes',
    async (...[keySpec, algorithm, type, length]) => {
      for (const wrong of [1, length - 1, length + 1, 4096]) {
        expect(await refusalOf([keySpec, algorithm, type], wrong)).toMatchObject({
          name: 'ValidationException',
          message: `Digest is invalid length for algorithm ${algorithm}.`,
        });
      }
    },
  );

  test.each<Row>([
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'RAW'],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'RAW'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', 'RAW'],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', 'RAW'],
    ['ML_DSA_87', 'ML_DSA_SHAKE_256', undefined],
  ])('with %s and %s accept a message of 4,096 bytes for %s, and no longer one', async (...row) => {
    const [keySpec, SigningAlgorithm, MessageType] = row;
    const longest = {
      KeyId: `alias/${keySpec}`,
      SigningAlgorithm,
      MessageType,
      Message: Buffer.alloc(4096, 'a'),
    };
    const { Signature } = await client.send(new SignCommand(longest));
    const { SignatureValid } = await client.send(new VerifyCommand({ ...longest, Signature }));
    expect(SignatureValid).toBe(true);
    expect(await refusalOf(row, 4097)).toMatchObject({
      name: 'ValidationException',
      message: expect.stringMatching(/less than or equal to 4096$/) as string,
    });
  });

  test.each<[LocalKmsKeySpec, SigningAlgorithmSpec]>([
    ['ECC_NIST_P256', 'ED25519_SHA_512'],
    ['ECC_NIST_EDWARDS25519', 'ECDSA_SHA_256'],
    ['RSA_2048', 'ECDSA_SHA_256'],
    ['ML_DSA_65', 'RSASSA_PSS_SHA_256'],
    ['ML_DSA_65', 'SM2DSA'],
  ])('with a key of spec %s reject %s', async (keySpec, algorithm) => {
    expect(await refusalOf([keySpec, algorithm, 'RAW'], 64)).toMatchObject({
      name: 'InvalidKeyUsageException',
      message: `Algorithm ${algorithm} is incompatible with key spec ${keySpec}.`,
    });
  });

  test.each<Row>([
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'RAW'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_PH_SHA_512', 'DIGEST'],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', 'EXTERNAL_MU'],
  ])('with %s, %s and DryRun throw DryRunOperationException', async (...row) => {
    const [keySpec, SigningAlgorithm, MessageType] = row;
    const input = {
      KeyId: `alias/${keySpec}`,
      SigningAlgorithm,
      MessageType,
      Message: Buffer.alloc(64, 'a'),
    };
    const { Signature } = await client.send(new SignCommand(input));
    for (const command of [
      new SignCommand({ ...input, DryRun: true }),
      new VerifyCommand({ ...input, Signature, DryRun: true }),
    ]) {
      expect((await errorOf(client.send(command as SignCommand))).name).toBe('DryRunOperationException');
    }
    const invalid = new VerifyCommand({ ...input, Signature: Buffer.alloc(64), DryRun: true });
    expect((await errorOf(client.send(invalid))).name).toBe('KMSInvalidSignatureException');
  });
});

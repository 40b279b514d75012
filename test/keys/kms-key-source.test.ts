import { DisableKeyCommand, UpdateAliasCommand } from '@aws-sdk/client-kms';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { beforeEach, describe, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { type KmsKeySourceSettings, KmsKeySource } from '../../src/keys/kms-key-source.js';
import { appClient } from '../../src/kms/kms-clients.js';
import { SingleRegionGateway } from '../../src/kms/single-region-gateway.js';
import { newKeyPair } from '../support/forge.js';

let localKms: LocalKms;

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'next' }] });
});

function newSource(settings: Partial<KmsKeySourceSettings> = {}): KmsKeySource {
  const gateway = new SingleRegionGateway(appClient(localKms.client({ maxAttempts: 1 })), {
    timeout: 1000,
    maxConcurrency: 50,
    maxQueue: 1000,
  });
  const given = {
    keyId: 'alias/auth',
    kid: 'key-id',
    verificationKeys: [],
    refreshInterval: 300,
    algorithms: [ES256],
  } as const;
  return new KmsKeySource(gateway, { ...given, ...settings });
}
const keyId = (index: number) => localKms.keys[index]?.keyId ?? '';
const arn = (index: number) => localKms.keys[index]?.arn ?? '';
const send = (command: DisableKeyCommand | UpdateAliasCommand) => localKms.client().send(command as never);

test('the key behind the alias signs, and the verificationKeys verify', async () => {
  const jwk = { ...newKeyPair().publicKey.export({ format: 'jwk' }), kid: 'kept' } as never;
  const { signing, others } = await newSource({ verificationKeys: ['alias/next', jwk] }).load();
  expect(signing).toMatchObject({ kid: keyId(0), keyArn: arn(0) });
  expect(others.map(({ kid }) => kid)).toEqual([keyId(1), 'kept']);
});

describe('GetPublicKey', () => {
  test.each<[string, () => Partial<KmsKeySourceSettings>, number]>([
    ['repeats for an alias', () => ({}), 2],
    ['does not repeat for a key id', () => ({ keyId: keyId(0) }), 1],
    ['does not repeat for a key ARN', () => ({ keyId: arn(0) }), 1],
    [
      'repeats only for the alias next to a key id',
      () => ({ keyId: keyId(0), verificationKeys: ['alias/next'] }),
      3,
    ],
  ])('%s', async (_, settings, calls) => {
    const source = newSource(settings());
    const { freshFor } = await source.load();
    await source.load();
    expect(localKms.calls.GetPublicKey).toBe(calls);
    expect(freshFor).toBe(calls === 1 ? undefined : 300);
  });

  test('returns the new key after the alias has moved', async () => {
    const source = newSource();
    await source.load();
    await send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: keyId(1) }));
    expect((await source.load()).signing).toMatchObject({ kid: keyId(1), keyArn: arn(1) });
  });
});

describe('a disabled key', () => {
  test('still verifies if it was known before, because its tokens may not have expired', async () => {
    const source = newSource({ verificationKeys: ['alias/next'] });
    await source.load();
    await send(new DisableKeyCommand({ KeyId: keyId(1) }));
    expect((await source.load()).others.map(({ kid }) => kid)).toEqual([keyId(1)]);
  });

  test('is left out and reported if it was not known', async () => {
    await send(new DisableKeyCommand({ KeyId: keyId(1) }));
    const { signing, others, problem } = await newSource({ verificationKeys: ['alias/next'] }).load();
    expect(signing?.kid).toBe(keyId(0));
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ name: 'KmsKeyError' });
  });

  test('is an error if it is the signing key', async () => {
    const source = newSource();
    await source.load();
    await send(new DisableKeyCommand({ KeyId: keyId(0) }));
    await expect(source.load()).rejects.toMatchObject({ name: 'KmsKeyError' });
  });
});

test('an outage of KMS is not mistaken for a disabled key', async () => {
  const source = newSource({ verificationKeys: ['alias/next'] });
  await source.load();
  localKms.inject({ kind: 'drop' });
  await expect(source.load()).rejects.toMatchObject({ name: 'KmsUnavailableError' });
});

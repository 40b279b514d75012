import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { KMSClient } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { KmsSignatureError } from '../../src/errors/errors.js';
import { appClient } from '../../src/kms/kms-clients.js';
import { SingleRegionGateway } from '../../src/kms/single-region-gateway.js';
import { LIMITS, request } from './support.js';

let localKms: LocalKms;
let client: KMSClient;

beforeEach(() => {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  client = localKms.client({ maxAttempts: 1 });
});
afterEach(() => client.destroy());

const gateway = () => new SingleRegionGateway(appClient(client), LIMITS);

describe('errors of the SDK', () => {
  test.each<[string, LocalKmsFault, object]>([
    [
      'throttling',
      { kind: 'throttle' },
      { name: 'KmsUnavailableError', reason: 'throttled', retryable: true },
    ],
    [
      'a failure inside KMS',
      { kind: 'error', name: 'KMSInternalException', status: 500 },
      { name: 'KmsUnavailableError', reason: 'failure' },
    ],
    [
      'an unavailable key store',
      { kind: 'error', name: 'KeyUnavailableException', status: 500 },
      { name: 'KmsUnavailableError', reason: 'failure' },
    ],
    ['a proxy’s HTML 503', { kind: 'html' }, { name: 'KmsUnavailableError', reason: 'failure' }],
    ['a reset connection', { kind: 'drop' }, { name: 'KmsUnavailableError', reason: 'network' }],
    [
      'a missing permission',
      { kind: 'error', name: 'AccessDeniedException' },
      { name: 'KmsAccessDeniedError', retryable: false },
    ],
    [
      'expired credentials',
      { kind: 'error', name: 'ExpiredTokenException' },
      { name: 'KmsAccessDeniedError' },
    ],
    [
      'unknown credentials',
      { kind: 'error', name: 'UnrecognizedClientException' },
      { name: 'KmsAccessDeniedError' },
    ],
    [
      'a disabled key',
      { kind: 'error', name: 'DisabledException' },
      { name: 'KmsKeyError', retryable: false },
    ],
    ['a key pending deletion', { kind: 'error', name: 'KMSInvalidStateException' }, { name: 'KmsKeyError' }],
    ['an unknown key', { kind: 'error', name: 'NotFoundException' }, { name: 'KmsKeyError' }],
    [
      'an unknown exception',
      { kind: 'error', name: 'BrandNewException' },
      { name: 'KmsUnavailableError', reason: 'failure' },
    ],
    ['a 200 without a signature', { kind: 'omitSignature' }, { name: 'KmsSignatureError' }],
  ])('are translated: %s', async (_, fault, expected) => {
    localKms.inject(fault);
    await expect(gateway().sign(request)).rejects.toMatchObject(expected);
  });

  test('are translated with a remedy and a redacted cause', async () => {
    localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'User hush is not authorized' });
    const signing = gateway().sign(request);
    await expect(signing).rejects.toMatchObject({
      message:
        "AWS denied Sign with alias/auth (AccessDeniedException): allow kms:Sign on the key in this role's policy and in the key policy",
      cause: {
        name: 'AccessDeniedException',
        message: 'Omitted, as it may quote the request',
        $fault: 'client',
        $metadata: { httpStatusCode: 400, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      },
    });
    const { cause } = (await signing.catch((error: unknown) => error)) as Error;
    expect(cause).toBeInstanceOf(Error);
    expect(cause).not.toHaveProperty('$response');
  });

  test('keep the message of AWS in the cause for GetPublicKey, which sends no secret', async () => {
    localKms.inject({ kind: 'error', name: 'AccessDeniedException', message: 'User hush is not authorized' });
    await expect(gateway().getPublicKey('alias/auth')).rejects.toMatchObject({
      cause: { name: 'AccessDeniedException', message: 'User hush is not authorized' },
    });
  });

  test('are translated for a missing Region and missing credentials', async () => {
    const nowhere = new SingleRegionGateway(
      appClient(
        new KMSClient({
          region: async () => {
            throw new Error('Region is missing');
          },
        }),
      ),
      LIMITS,
    );
    await expect(nowhere.getPublicKey('alias/auth')).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      option: 'client.region',
    });
    const nobody = localKms.client({
      credentials: async () => {
        throw Object.assign(new Error('Could not load credentials from any providers'), {
          name: 'CredentialsProviderError',
        });
      },
    });
    await expect(new SingleRegionGateway(appClient(nobody), LIMITS).sign(request)).rejects.toMatchObject({
      name: 'KmsAccessDeniedError',
    });
  });
});

test('a reply without a signature is a KmsSignatureError', async () => {
  localKms.inject({ kind: 'omitSignature' });
  await expect(gateway().sign(request)).rejects.toBeInstanceOf(KmsSignatureError);
});

const answering = (output: object) =>
  ({ send: async () => output, destroy: () => {} }) as unknown as KMSClient;

describe('an invalid reply', () => {
  const good = { KeyId: 'arn:aws:kms:us-east-1:1:key/1', Signature: new Uint8Array(70) };

  test.each([
    ['a signature that is a number', { ...good, Signature: 5 }],
    ['a signature that is a string', { ...good, Signature: 'MEQ' }],
    ['a signature that is an array', { ...good, Signature: [1] }],
    ['a KeyId that is a number', { ...good, KeyId: 5 }],
    ['a KeyId that is an object', { ...good, KeyId: {} }],
    ['a KeyId with a line break', { ...good, KeyId: 'a\nERROR b' }],
    ['a KeyId of 3 MB', { ...good, KeyId: 'a'.repeat(3e6) }],
  ])('with %s is a KmsSignatureError', async (_, output) => {
    await expect(new SingleRegionGateway(appClient(answering(output)), LIMITS).sign(request)).rejects.toThrow(
      new KmsSignatureError('The KMS reply to Sign (alias/auth) contains no valid signature'),
    );
  });

  test.each([
    ['a KeyId that is an object', { KeyId: {}, PublicKey: new Uint8Array(91) }],
    ['a public key that is a string', { KeyId: 'k', PublicKey: 'MFk' }],
  ])('with %s is a KmsUnavailableError', async (_, output) => {
    const asking = new SingleRegionGateway(appClient(answering(output)), LIMITS).getPublicKey('alias/auth');
    await expect(asking).rejects.toMatchObject({ name: 'KmsUnavailableError', reason: 'failure' });
  });

  test.each([
    ['an HTML page', '<html>Sign in</html>'],
    ['a signature that is not base64', '{"KeyId":"k","Signature":"!!!"}'],
  ])('with %s and the status 200 is a KmsSignatureError', async (_, body) => {
    const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
    client = new KMSClient({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials });
    await expect(gateway().sign(request)).rejects.toBeInstanceOf(KmsSignatureError);
  });

  test('with an unknown error code: the code is not in the error', async () => {
    const foreign = Object.assign(new Error('no'), { name: 'StrangeException', code: 'ey\nJh'.repeat(1000) });
    const failing = { send: () => Promise.reject(foreign), destroy: () => {} } as unknown as KMSClient;
    const error: unknown = await new SingleRegionGateway(appClient(failing), LIMITS)
      .sign(request)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'failure' });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('Jh');
  });

  test('with a long error name with a line break: messages have one short line', async () => {
    const name = `Strange\nException${'x'.repeat(1000)}`;
    localKms.inject({ kind: 'error', name });
    const { message, cause } = (await gateway()
      .sign(request)
      .catch((error: unknown) => error)) as Error;
    for (const text of [message, (cause as Error).name]) {
      expect(text).not.toContain('\n');
      expect(text.length).toBeLessThan(400);
    }
  });
});

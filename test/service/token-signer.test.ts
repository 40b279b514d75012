import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
} from '../../src/errors/errors.js';
import { Deadline } from '../../src/async/deadline.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import { decodeBase64url } from '../../src/jwt/base64url.js';
import type { KmsSignature, KmsSignRequest } from '../../src/kms/kms-gateway.js';
import {
  A,
  ARN,
  B,
  fail,
  isSignedBy,
  newKey,
  newSigner,
  NOW,
  partsOf,
  same,
} from './token-signer.support.js';

test('a token has alg, typ and kid, the claims, and a signature of the key', async () => {
  const token = await newSigner().sign({ sub: 'user-42' }, { expiresIn: 60 });
  const [header = '', claims = ''] = token.split('.').map((text) => decodeBase64url(text).toString());
  expect(header).toBe('{"alg":"ES256","typ":"JWT","kid":"a"}');
  expect(claims).toBe(`{"sub":"user-42","iat":${NOW},"exp":${NOW + 60}}`);
  expect(isSignedBy(A, token)).toBe(true);
});

test('the header has the parameters of the options, which do not replace those of the key', async () => {
  const header = { typ: 'at+jwt', 'x-tenant': 7, alg: 'none', kid: 'b' };
  const token = await newSigner().sign({}, { header });
  expect(partsOf(token).header).toEqual({ typ: 'at+jwt', 'x-tenant': 7, alg: 'ES256', kid: 'a' });
});

describe('Sign is called', () => {
  test('once, with the digest and the ARN of the key, not with the alias, which may move', async () => {
    const { sign, requests } = newSigner();
    const { signingInput } = partsOf(await sign());
    expect(requests).toEqual([
      {
        keyId: A.keyArn,
        algorithm: ES256,
        messageType: 'DIGEST',
        message: createHash('sha256').update(signingInput).digest(),
        deadline: expect.any(Deadline) as Deadline,
      },
    ]);
  });

  test('with the alias with requestAlias', async () => {
    const { sign, requests } = newSigner([A.answer], { requestAlias: true });
    await sign();
    expect(requests.map(({ keyId }) => keyId)).toEqual(['alias/auth']);
  });

  test('with the whole token for RAW', async () => {
    const { sign, requests } = newSigner([A.answer], { messageType: 'RAW' });
    const token = await sign();
    expect(requests).toMatchObject([
      { messageType: 'RAW', message: Buffer.from(partsOf(token).signingInput) },
    ]);
    expect(isSignedBy(A, token)).toBe(true);
  });

  test('for up to 4,096 bytes with RAW, the limit of KMS', async () => {
    const { sign, requests } = newSigner([A.answer], { messageType: 'RAW' });
    const blob = 'x'.repeat(3021);
    const options = { noTimestamp: true, header: { typ: 'x+jwt' } };
    await sign({ blob }, options);
    await expect(sign({ blob: `${blob}x` }, options)).rejects.toThrow(
      new KmsJwtOptionsError(
        'messageType',
        "'RAW' takes tokens of up to 4096 bytes before the signature; this one has 4097: use 'DIGEST'",
      ),
    );
    expect(requests.map(({ message }) => message.length)).toEqual([4096]);
  });

  test('not at all if the claims are invalid', async () => {
    const { sign, requests, ring } = newSigner();
    await expect(sign({ exp: 'soon' })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    await expect(sign({ custom: new Map() })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    expect(requests).toEqual([]);
    expect(ring.active).not.toHaveBeenCalled();
  });
});

describe('the ring records the lifetime of a token:', () => {
  test.each([
    ['60 seconds', { exp: NOW + 60 }, 60],
    ['unlimited', {}, undefined],
  ])('%s', async (_, payload, seconds) => {
    const { sign, ring } = newSigner();
    await sign(payload);
    expect(ring.recordLifetime.mock.calls).toEqual([[seconds]]);
  });

  test('but not that of a token that was not signed', async () => {
    const { sign, ring } = newSigner([fail(new KmsUnavailableError('network', 'outage'))]);
    await sign().catch(() => undefined);
    expect(ring.recordLifetime).not.toHaveBeenCalled();
  });
});

const refusal = (answer: (request: KmsSignRequest) => KmsSignature) => newSigner([answer]).sign().catch(same);

const signSomethingElse = (request: KmsSignRequest) => A.answer({ ...request, message: Buffer.alloc(32) });

describe('no token is returned', () => {
  test('with a signature over another message', async () => {
    expect(await refusal(signSomethingElse)).toEqual(
      new KmsSignatureError(
        `KMS returned a signature that does not verify with the public key of ${A.keyArn}`,
      ),
    );
  });

  test('with a signature that is not DER', async () => {
    expect(await refusal(() => ({ keyArn: A.keyArn, signature: new Uint8Array(64) }))).toBeInstanceOf(
      KmsSignatureError,
    );
  });

  test('with the signature of another key', async () => {
    expect(await refusal(B.answer)).toMatchObject({
      name: 'KmsSignatureError',
      code: 'kms_signature_invalid',
      message: `KMS signed with the key ${B.keyArn} instead of ${A.keyArn}`,
    });
  });
});

describe('withheld tokens', () => {
  test('are each counted and reported as an event', async () => {
    const { sign, signer, events } = newSigner([B.answer, B.answer, A.answer]);
    const errors = [await sign().catch(same), await sign().catch(same)];
    await sign();
    expect(signer.refusedSignatures).toBe(2);
    expect(events).toEqual(errors.map((error) => ({ type: 'signature_refused', error })));
  });

  test('do not count if another key signs then', async () => {
    const { sign, signer, events } = newSigner([B.answer, B.answer], { requestAlias: true }, [A, B]);
    await sign();
    expect([signer.refusedSignatures, events]).toEqual([0, []]);
  });

  test('do not count without a signature of KMS', async () => {
    const { sign, signer, events } = newSigner([fail(new KmsUnavailableError('network', 'outage'))]);
    await expect(sign()).rejects.toBeInstanceOf(KmsUnavailableError);
    expect([signer.refusedSignatures, events]).toEqual([0, []]);
  });
});

describe('the KeyId in the answer of Sign', () => {
  const MRK = 'arn:aws:kms:eu-central-1:000000000000:key/mrk-1';

  test.each([
    ['may be the ARN of the key', `${ARN}1`, `${ARN}1`],
    ['may be the bare id of a key known by its ARN, as with emulators', `${ARN}1`, '1'],
    ['may be the ARN of a key known by its bare id', '1', `${ARN}1`],
    ['may be that of a replica of a Multi-Region key', MRK, MRK.replace('eu-central-1', 'us-east-1')],
  ])('%s: %s and %s', async (_, known, answered) => {
    const key = newKey('k', known);
    const answer = (request: KmsSignRequest) => ({ ...key.answer(request), keyArn: answered });
    await expect(newSigner([answer], {}, [key]).sign()).resolves.toBeDefined();
  });

  test.each([
    ['another key', `${ARN}1`, `${ARN}2`],
    ['a key with the same id in another account', `${ARN}1`, `${ARN}1`.replace('000', '111')],
    ['another bare id', `${ARN}1`, '2'],
    ['another Multi-Region key', MRK, MRK.replace('mrk-1', 'mrk-2')],
    ['a key whose id has the same ending', `${ARN}1`, '11'],
  ])('must not be that of %s: %s and %s', async (_, known, answered) => {
    const key = newKey('k', known);
    const answer = (request: KmsSignRequest) => ({ ...key.answer(request), keyArn: answered });
    await expect(newSigner([answer], {}, [key]).sign()).rejects.toBeInstanceOf(KmsSignatureError);
  });
});

describe('during a rotation', () => {
  const disabled = new KmsKeyError('disabled');

  test('a key that was disabled too early is skipped, and the next one signs', async () => {
    const { sign, ring } = newSigner([fail(disabled), B.answer], {}, [A, B]);
    expect(isSignedBy(B, await sign())).toBe(true);
    expect(ring.retireEarly.mock.calls).toEqual([[A]]);
  });

  test('a key that was disabled before the move was seen causes a refresh, and the next one signs', async () => {
    const { sign, ring } = newSigner([fail(disabled), B.answer], {}, [A, B]);
    ring.retireEarly.mockReturnValueOnce(false);
    expect(isSignedBy(B, await sign())).toBe(true);
    expect(ring.retry).toHaveBeenCalledTimes(1);
  });

  test('a disabled key without a next one fails the call', async () => {
    const { sign, ring } = newSigner([fail(disabled)]);
    await expect(sign()).rejects.toBe(disabled);
    expect(ring.active).toHaveBeenCalledTimes(1);
  });

  test('an alias that has moved causes a refresh, and its new key signs', async () => {
    const { sign, ring, requests } = newSigner([B.answer, B.answer], { requestAlias: true }, [A, B]);
    expect(isSignedBy(B, await sign())).toBe(true);
    expect(ring.refresh).toHaveBeenCalledTimes(1);
    expect(requests.map(({ keyId }) => keyId)).toEqual(['alias/auth', 'alias/auth']);
  });

  test('a second failure fails the call', async () => {
    const { sign, requests } = newSigner([fail(disabled), fail(new Error('outage'))], {}, [A, B]);
    await expect(sign()).rejects.toThrow('outage');
    expect(requests).toHaveLength(2);
  });

  test.each<[string, (request: KmsSignRequest) => KmsSignature | Promise<KmsSignature>, boolean]>([
    ['an answer of another key to a request with an ARN', B.answer, false],
    [
      'an invalid signature of the right key',
      () => ({ keyArn: A.keyArn, signature: new Uint8Array(64) }),
      true,
    ],
    ['an outage of KMS', fail(new KmsUnavailableError('network', 'outage')), true],
  ])('Sign is not repeated after %s', async (_, answer, requestAlias) => {
    const { sign, ring, requests } = newSigner([answer], { requestAlias }, [A, B]);
    await expect(sign()).rejects.toMatchObject({ code: expect.stringMatching(/^kms_/) });
    expect(requests).toHaveLength(1);
    expect(ring.retireEarly).not.toHaveBeenCalled();
    expect(ring.retry).not.toHaveBeenCalled();
  });
});

import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import {
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
} from '../../src/errors/errors.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import { decodeBase64url } from '../../src/jwt/base64url.js';
import { parseCompact } from '../../src/jwt/compact.js';
import { toJwk } from '../../src/jwt/jwk.js';
import { isSignatureValid } from '../../src/jwt/signature.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import type { KmsSignature, KmsSignRequest } from '../../src/kms/kms-gateway.js';
import type { KmsJwtEvent } from '../../src/events/kms-jwt.events.js';
import type { KmsJwtSettings, SignSettings } from '../../src/options/kms-jwt.options.js';
import { signDigest } from '../../src/local/store/ecdsa.js';
import { TokenSigner } from '../../src/service/token-signer.js';
import { newKeyPair } from '../support/forge.js';

const NOW = 1_700_000_000;
const ARN = 'arn:aws:kms:eu-central-1:000000000000:key/';

function newKey(kid: string, keyArn = ARN + kid) {
  const { publicKey, privateKey } = newKeyPair();
  const key: SigningKey = {
    kid,
    keyArn,
    algorithm: ES256,
    publicKey,
    jwk: { ...toJwk(publicKey, ES256), kid },
  };
  const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  /** What KMS answers when this key signs. */
  const answer = ({ messageType, message }: KmsSignRequest): KmsSignature => {
    const digest = messageType === 'DIGEST' ? message : createHash('sha256').update(message).digest();
    return { keyArn, der: signDigest('prime256v1', secret, digest) };
  };
  return { ...key, answer };
}
type Key = ReturnType<typeof newKey>;
const [A, B] = [newKey('a'), newKey('b')];

/** A signer whose ring has one active key after the other, and whose KMS gives one answer after the other. */
function newSigner(
  answers: ((request: KmsSignRequest) => KmsSignature | Promise<KmsSignature>)[] = [A.answer],
  settings: Partial<KmsJwtSettings> = {},
  active: Key[] = [A],
) {
  const ring = {
    active: vi.fn<KeyRing['active']>(async () => (active.length > 1 ? active.shift() : active[0]) as Key),
    skip: vi.fn<KeyRing['skip']>((key) => active[0]?.kid !== key.kid),
    refresh: vi.fn<KeyRing['refresh']>(async () => undefined),
    noteLifetime: vi.fn<KeyRing['noteLifetime']>(),
  };
  const requests: KmsSignRequest[] = [];
  const gateway = {
    sign: async (request: KmsSignRequest) => {
      requests.push(request);
      return (answers[requests.length - 1] ?? never)(request);
    },
  };
  const given = {
    keyId: 'alias/auth',
    messageType: 'DIGEST',
    requestAlias: false,
    timeout: 10_000,
    ...settings,
  } as const;
  const events: KmsJwtEvent[] = [];
  const signer = new TokenSigner(ring as unknown as KeyRing, gateway, given, (event) => events.push(event));
  const sign = (payload: object = {}, options: SignSettings = {}) => signer.sign(payload, options, NOW);
  return { sign, ring, requests, events, signer };
}
const never = () => {
  throw new Error('KMS was asked too often');
};
const same = (error: unknown) => error;
const forEver = () => new Promise<never>(() => {});
const fail = (error: Error) => () => Promise.reject(error);

const partsOf = (token: string) => parseCompact(token, 10_000);
const isSignedBy = (key: Key, token: string) => {
  const { signingInput, signature, header } = partsOf(token);
  return header.kid === key.kid && isSignatureValid(signingInput, signature, key.publicKey, ES256);
};

test('a token says algorithm, type and key, then the claims, and is signed by the key', async () => {
  const token = await newSigner().sign({ sub: 'user-42' }, { expiresIn: 60 });
  const [header = '', claims = ''] = token.split('.').map((text) => decodeBase64url(text).toString());
  expect(header).toBe('{"alg":"ES256","typ":"JWT","kid":"a"}');
  expect(claims).toBe(`{"sub":"user-42","iat":${NOW},"exp":${NOW + 60}}`);
  expect(isSignedBy(A, token)).toBe(true);
});

test('the header says what the options say, but not in the place of the key', async () => {
  const header = { typ: 'at+jwt', 'x-tenant': 7, alg: 'none', kid: 'b' };
  const token = await newSigner().sign({}, { header });
  expect(partsOf(token).header).toEqual({ typ: 'at+jwt', 'x-tenant': 7, alg: 'ES256', kid: 'a' });
});

describe('KMS is asked', () => {
  test('once, with the digest, for the key and not for the alias, which may move', async () => {
    const { sign, requests } = newSigner();
    const { signingInput } = partsOf(await sign());
    expect(requests).toEqual([
      {
        keyId: A.keyArn,
        algorithm: ES256,
        messageType: 'DIGEST',
        message: createHash('sha256').update(signingInput).digest(),
        signal: expect.any(AbortSignal) as AbortSignal,
      },
    ]);
  });

  test('by its alias with requestAlias', async () => {
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

  test('for up to 4,096 bytes with RAW, as it takes no more', async () => {
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

  test('for nothing where the claims are wrong', async () => {
    const { sign, requests, ring } = newSigner();
    await expect(sign({ exp: 'soon' })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    await expect(sign({ custom: new Map() })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    expect(requests).toEqual([]);
    expect(ring.active).not.toHaveBeenCalled();
  });
});

describe('the ring is told how long the token lives', () => {
  test.each([
    ['60 seconds from now', { exp: NOW + 60 }, 60],
    ['for ever', {}, undefined],
  ])('%s', async (_, payload, seconds) => {
    const { sign, ring } = newSigner();
    await sign(payload);
    expect(ring.noteLifetime.mock.calls).toEqual([[seconds]]);
  });

  test('but not of one that was never signed', async () => {
    const { sign, ring } = newSigner([fail(new KmsUnavailableError('network', 'away'))]);
    await sign().catch(() => undefined);
    expect(ring.noteLifetime).not.toHaveBeenCalled();
  });
});

const refusal = (answer: (request: KmsSignRequest) => KmsSignature) => newSigner([answer]).sign().catch(same);

describe('no token is handed out', () => {
  test('with a signature over something else', async () => {
    const other = (request: KmsSignRequest) => A.answer({ ...request, message: Buffer.alloc(32) });
    expect(await refusal(other)).toEqual(
      new KmsSignatureError(`KMS returned a signature that does not verify by the public key of ${A.keyArn}`),
    );
  });

  test('with a signature that is not DER', async () => {
    expect(await refusal(() => ({ keyArn: A.keyArn, der: new Uint8Array(64) }))).toBeInstanceOf(
      KmsSignatureError,
    );
  });

  test('with the signature of a key that says it is another', async () => {
    expect(await refusal(B.answer)).toMatchObject({
      name: 'KmsSignatureError',
      code: 'kms_signature_invalid',
      message: `KMS signed with the key ${B.keyArn} instead of ${A.keyArn}`,
    });
  });
});

describe('of the tokens that were withheld', () => {
  test('each is counted and told', async () => {
    const { sign, signer, events } = newSigner([B.answer, B.answer, A.answer]);
    const errors = [await sign().catch(same), await sign().catch(same)];
    await sign();
    expect(signer.refusedSignatures).toBe(2);
    expect(events).toEqual(errors.map((error) => ({ type: 'signature_refused', error })));
  });

  test('none is, where another key signs after all', async () => {
    const { sign, signer, events } = newSigner([B.answer, B.answer], { requestAlias: true }, [A, B]);
    await sign();
    expect([signer.refusedSignatures, events]).toEqual([0, []]);
  });

  test('none is, where KMS gave no signature', async () => {
    const { sign, signer, events } = newSigner([fail(new KmsUnavailableError('network', 'away'))]);
    await expect(sign()).rejects.toBeInstanceOf(KmsUnavailableError);
    expect([signer.refusedSignatures, events]).toEqual([0, []]);
  });
});

describe('the key that signed', () => {
  const MRK = 'arn:aws:kms:eu-central-1:000000000000:key/mrk-1';

  test.each([
    ['is known by its ARN', `${ARN}1`, `${ARN}1`],
    ['may be told by its bare id, as emulators do', `${ARN}1`, '1'],
    ['may be known by its bare id, as emulators told it', '1', `${ARN}1`],
    ['may be a replica of a Multi-Region key', MRK, MRK.replace('eu-central-1', 'us-east-1')],
  ])('%s: %s and %s', async (_, known, told) => {
    const key = newKey('k', known);
    const answer = (request: KmsSignRequest) => ({ ...key.answer(request), keyArn: told });
    await expect(newSigner([answer], {}, [key]).sign()).resolves.toBeDefined();
  });

  test.each([
    ['another key', `${ARN}1`, `${ARN}2`],
    ['a key of the same id in another account', `${ARN}1`, `${ARN}1`.replace('000', '111')],
    ['another bare id', `${ARN}1`, '2'],
    ['another Multi-Region key', MRK, MRK.replace('mrk-1', 'mrk-2')],
    ['a key whose id ends like it', `${ARN}1`, '11'],
  ])('may not be %s: %s and %s', async (_, known, told) => {
    const key = newKey('k', known);
    const answer = (request: KmsSignRequest) => ({ ...key.answer(request), keyArn: told });
    await expect(newSigner([answer], {}, [key]).sign()).rejects.toBeInstanceOf(KmsSignatureError);
  });
});

describe('in the middle of a rotation', () => {
  const disabled = new KmsKeyError('disabled');

  test('a key that was put away too early is skipped, and the next signs', async () => {
    const { sign, ring } = newSigner([fail(disabled), B.answer], {}, [A, B]);
    expect(isSignedBy(B, await sign())).toBe(true);
    expect(ring.skip.mock.calls).toEqual([[A]]);
  });

  test('a key that was put away with none to follow fails the call', async () => {
    const { sign, ring } = newSigner([fail(disabled)]);
    await expect(sign()).rejects.toBe(disabled);
    expect(ring.active).toHaveBeenCalledTimes(1);
  });

  test('an alias that was sent and has moved makes the ring look, and its new key signs', async () => {
    const { sign, ring, requests } = newSigner([B.answer, B.answer], { requestAlias: true }, [A, B]);
    expect(isSignedBy(B, await sign())).toBe(true);
    expect(ring.refresh).toHaveBeenCalledTimes(1);
    expect(requests.map(({ keyId }) => keyId)).toEqual(['alias/auth', 'alias/auth']);
  });

  test('a second failure is the answer', async () => {
    const { sign, requests } = newSigner([fail(disabled), fail(new Error('away'))], {}, [A, B]);
    await expect(sign()).rejects.toThrow('away');
    expect(requests).toHaveLength(2);
  });

  test.each<[string, (request: KmsSignRequest) => KmsSignature | Promise<KmsSignature>, boolean]>([
    ['the wrong key where an ARN was sent', B.answer, false],
    ['a bad signature of the right key', () => ({ keyArn: A.keyArn, der: new Uint8Array(64) }), true],
    ['KMS that is away', fail(new KmsUnavailableError('network', 'away')), true],
  ])('nothing is signed again for %s', async (_, answer, requestAlias) => {
    const { sign, ring, requests } = newSigner([answer], { requestAlias }, [A, B]);
    await expect(sign()).rejects.toMatchObject({ code: expect.stringMatching(/^kms_/) });
    expect(requests).toHaveLength(1);
    expect(ring.skip).not.toHaveBeenCalled();
    expect(ring.refresh).not.toHaveBeenCalled();
  });
});

describe('a signal', () => {
  const reason = new Error('gone');

  test('that has aborted before ends the call before anybody is asked, but after the claims were looked at', async () => {
    const { sign, ring } = newSigner();
    const signal = AbortSignal.abort(reason);
    await expect(sign({}, { signal })).rejects.toBe(reason);
    await expect(sign({ exp: 'soon' }, { signal })).rejects.toBeInstanceOf(KmsJwtOptionsError);
    expect(ring.active).not.toHaveBeenCalled();
  });

  test('may end any number of calls, and Node warns of no leak', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => newSigner().sign({}, { signal })));
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  test('reaches KMS', async () => {
    const { sign, requests } = newSigner([forEver]);
    const controller = new AbortController();
    const signing = sign({}, { signal: controller.signal });
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    controller.abort(reason);
    await expect(signing).rejects.toBe(reason);
    expect(requests[0]?.signal?.reason).toBe(reason);
  });

  test('may be of another make than Node’s', async () => {
    const signal = { throwIfAborted() {}, addEventListener() {}, removeEventListener() {} };
    await newSigner().sign({}, { signal: signal as unknown as AbortSignal });
  });

  test.each<[string, (ring: ReturnType<typeof newSigner>['ring']) => void]>([
    ['the key', (ring) => ring.active.mockImplementation(forEver)],
    ['the refresh', (ring) => ring.refresh.mockImplementation(forEver)],
    ['the key after that', (ring) => ring.active.mockResolvedValueOnce(A).mockImplementation(forEver)],
  ])('ends the wait for %s', async (_, hang) => {
    const { sign, ring } = newSigner([B.answer], { requestAlias: true });
    hang(ring);
    const controller = new AbortController();
    const signing = sign({}, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(signing).rejects.toBe(reason);
  });
});

describe('the deadline', () => {
  test.each<[string, (ring: ReturnType<typeof newSigner>['ring']) => void]>([
    ['the key', (ring) => ring.active.mockImplementation(forEver)],
    ['the refresh', (ring) => ring.refresh.mockImplementation(forEver)],
    ['the key after that', (ring) => ring.active.mockResolvedValueOnce(A).mockImplementation(forEver)],
  ])('stands over the wait for %s', async (_, hang) => {
    const { sign, ring } = newSigner([B.answer], { requestAlias: true, timeout: 20 });
    hang(ring);
    await expect(sign()).rejects.toThrow(
      new KmsUnavailableError('timeout', 'KMS did not answer within 20 ms: no token was signed'),
    );
  });
});

describe('close', () => {
  test('waits for what is being signed, and refuses what comes then', async () => {
    let answer!: (signature: KmsSignature) => void;
    const { sign, signer, requests } = newSigner([() => new Promise((resolve) => (answer = resolve))]);
    const signing = sign();
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    let isClosed = false;
    const closed = signer.close().then(() => (isClosed = true));

    await expect(sign()).rejects.toThrow(
      new KmsUnavailableError('shutdown', 'No token was signed: this process is shutting down'),
    );
    expect(isClosed).toBe(false);
    answer(A.answer(requests[0] as KmsSignRequest));
    expect(isSignedBy(A, await signing)).toBe(true);
    await closed;
  });

  test('is told what is wrong with the claims all the same', async () => {
    const { sign, signer } = newSigner();
    await signer.close();
    await expect(sign({ exp: 'soon' })).rejects.toBeInstanceOf(KmsJwtOptionsError);
  });
});

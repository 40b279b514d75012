import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import {
  KmsUnavailableError,
  TokenExpiredError,
  TokenKeyDisabledError,
  TokenKeyNotInKmsError,
  TokenKeyUnknownError,
  TokenRevokedError,
  TokenSignatureError,
} from '../../src/errors/errors.js';
import { parseCompact } from '../../src/jwt/compact.js';
import { fromKmsSignature } from '../../src/jwt/kms-signature.js';
import type { KmsGateway } from '../../src/kms/kms-gateway.js';
import { KmsVerifier } from '../../src/service/kms-verifier.js';
import { KEY, newVerifier, NOW, tokenOf } from './token-verifier.support.js';

const KMS = { verification: 'kms' } as const;
const IN_KMS = { ...KEY, keyArn: 'arn:aws:kms:us-east-1:1:key/1' };

/** A verifier with a key in KMS, and its calls of Verify. */
function withKms(settings: Parameters<typeof newVerifier>[0] = {}) {
  const verify = vi.fn<KmsVerifier['verify']>(async () => {});
  const { ring, verifier } = newVerifier(settings, undefined, { verify });
  ring.known = new Map([[KEY.kid, IN_KMS]]);
  ring.find.mockResolvedValue(IN_KMS);
  return { ring, verifier, verify };
}

describe('with verification: kms', () => {
  test('KMS verifies the token with its key each time', async () => {
    const { verifier, verify } = withKms();
    const token = tokenOf({ sub: 'user-42' });
    for (let time = 0; time < 3; time += 1) {
      const verified = await verifier.verify(token, KMS, () => NOW);
      expect(verified.claims).toEqual({ sub: 'user-42' });
    }
    expect(verify.mock.calls).toEqual(Array.from({ length: 3 }, () => [token, IN_KMS]));
  });

  test.each([[{}], [{ verification: 'local' } as const]])('and not with %j', async (options) => {
    const { verifier, verify } = withKms({ isRevoked: () => false });
    await verifier.verify(tokenOf(), options, () => NOW);
    expect(verify).not.toHaveBeenCalled();
  });

  test('verify rejects with the error of KMS', async () => {
    const { verifier, verify } = withKms();
    for (const error of [new TokenKeyDisabledError(), new KmsUnavailableError('timeout', 'no answer')]) {
      verify.mockRejectedValueOnce(error);
      await expect(verifier.verify(tokenOf(), KMS, () => NOW)).rejects.toBe(error);
    }
  });

  test('isRevoked runs first, and a revoked token is not sent', async () => {
    const { verifier, verify } = withKms({ isRevoked: async () => true });
    await expect(verifier.verify(tokenOf(), KMS, () => NOW)).rejects.toBeInstanceOf(TokenRevokedError);
    expect(verify).not.toHaveBeenCalled();
  });

  test('a token that expires, or whose key is distrusted, while isRevoked runs is not sent', async () => {
    let now = NOW;
    const { ring, verifier, verify } = withKms({ isRevoked: () => ((now += 60), false) });
    const verifying = verifier.verify(tokenOf({ exp: NOW + 60 }), KMS, () => now);
    await expect(verifying).rejects.toBeInstanceOf(TokenExpiredError);
    ring.trusts.mockReturnValueOnce(false);
    await expect(verifier.verify(tokenOf(), KMS, () => now)).rejects.toBeInstanceOf(TokenKeyUnknownError);
    expect(verify).not.toHaveBeenCalled();
  });

  test('a token that expires, or whose key is distrusted, during the call of Verify is refused', async () => {
    let now = NOW;
    const { ring, verifier, verify } = withKms();
    verify.mockImplementationOnce(async () => void (now += 60));
    const verifying = verifier.verify(tokenOf({ exp: NOW + 60 }), KMS, () => now);
    await expect(verifying).rejects.toBeInstanceOf(TokenExpiredError);
    verify.mockImplementationOnce(async () => void ring.trusts.mockReturnValueOnce(false));
    await expect(verifier.verify(tokenOf(), KMS, () => now)).rejects.toBeInstanceOf(TokenKeyUnknownError);
  });
});

describe('recheck of a verified token', () => {
  const token = tokenOf();
  const jws = parseCompact(token, 1000);

  test("calls isRevoked, and KMS only with verification: 'kms'", async () => {
    let isRevoked = false;
    const { verifier, verify } = withKms({ isRevoked: () => isRevoked });
    await verifier.recheck(token, jws, {});
    expect(verify).not.toHaveBeenCalled();
    await verifier.recheck(token, jws, KMS);
    expect(verify.mock.calls).toEqual([[token, IN_KMS]]);
    isRevoked = true;
    await expect(verifier.recheck(token, jws, KMS)).rejects.toBeInstanceOf(TokenRevokedError);
    expect(verify).toHaveBeenCalledOnce();
  });

  test('refuses a key that is no longer trusted, and fails while there are no keys', async () => {
    const { ring, verifier, verify } = withKms();
    for (const known of [new Map(), undefined]) {
      ring.known = known as typeof ring.known;
      await expect(verifier.recheck(token, jws, KMS)).rejects.toBeInstanceOf(TokenKeyUnknownError);
    }
    expect(verify).not.toHaveBeenCalled();
  });
});

describe('KmsVerifier', () => {
  const token = tokenOf({ sub: 'user-42' });
  const [signingInput, signature] = [
    token.slice(0, token.lastIndexOf('.')),
    token.slice(token.lastIndexOf('.') + 1),
  ];

  test.each([
    ['DIGEST', createHash('sha256').update(signingInput).digest()],
    ['RAW', Buffer.from(signingInput)],
  ] as const)(
    'sends what sign sends with %s, the ARN of the key and the signature as DER',
    async (messageType, message) => {
      const verify = vi.fn<KmsGateway['verify']>(async () => {});
      await new KmsVerifier({ verify }, { messageType }).verify(token, IN_KMS);
      const { signature: der, ...request } = verify.mock.calls[0]![0];
      expect(request).toEqual({ keyId: IN_KMS.keyArn, algorithm: KEY.algorithm, messageType, message });
      expect(fromKmsSignature(der, KEY).toString('base64url')).toBe(signature);
    },
  );

  test('accepts at most 4,096 bytes with RAW', async () => {
    const verify = vi.fn<KmsGateway['verify']>(async () => {});
    const raw = new KmsVerifier({ verify }, { messageType: 'RAW' });
    await raw.verify(`${'a'.repeat(4096)}.${signature}`, IN_KMS);
    await expect(raw.verify(`${'a'.repeat(4097)}.${signature}`, IN_KMS)).rejects.toMatchObject({
      name: 'KmsJwtOptionsError',
      message:
        "KmsJwt: messageType 'RAW' takes tokens of up to 4096 bytes before the signature; this one has 4097: use 'DIGEST'",
    });
    expect(verify).toHaveBeenCalledOnce();
  });

  test('refuses a key without an ARN, and any key in a service without KMS', async () => {
    const verify = vi.fn<KmsGateway['verify']>(async () => {});
    const settings = { messageType: 'DIGEST' } as const;
    const withoutArn = new KmsVerifier({ verify }, settings).verify(token, KEY);
    await expect(withoutArn).rejects.toBeInstanceOf(TokenKeyNotInKmsError);
    const withoutKms = new KmsVerifier(undefined, settings).verify(token, IN_KMS);
    await expect(withoutKms).rejects.toMatchObject({ message: 'The key of the token is not in KMS' });
    expect(verify).not.toHaveBeenCalled();
  });

  test('does not send a malformed signature', async () => {
    const verify = vi.fn<KmsGateway['verify']>(async () => {});
    const sending = new KmsVerifier({ verify }, { messageType: 'DIGEST' }).verify('a.b.c2ln', IN_KMS);
    await expect(sending).rejects.toBeInstanceOf(TokenSignatureError);
    expect(verify).not.toHaveBeenCalled();
  });
});

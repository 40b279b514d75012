import { createHash } from 'node:crypto';
import { vi } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { parseCompact } from '../../src/jwt/compact.js';
import { toJwk } from '../../src/jwt/jwk.js';
import { isSignatureValid } from '../../src/jwt/signature.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import type { KmsSignature, KmsSignRequest } from '../../src/kms/kms-gateway.js';
import type { KmsJwtEvent } from '../../src/events/kms-jwt.events.js';
import type { SignSettings } from '../../src/options/settings.js';
import { signDigest } from '../../src/local/store/ecdsa.js';
import { type SignerSettings, TokenSigner } from '../../src/service/token-signer.js';
import { newKeyPair } from '../support/forge.js';

export const NOW = 1_700_000_000;
export const ARN = 'arn:aws:kms:eu-central-1:000000000000:key/';

export function newKey(kid: string, keyArn = ARN + kid) {
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
export const [A, B] = [newKey('a'), newKey('b')];

/** A signer whose ring has one active key after the other, and whose KMS gives one answer after the other. */
export function newSigner(
  answers: ((request: KmsSignRequest) => KmsSignature | Promise<KmsSignature>)[] = [A.answer],
  settings: Partial<SignerSettings> = {},
  active: Key[] = [A],
) {
  const ring = {
    active: vi.fn<KeyRing['active']>(async () => (active.length > 1 ? active.shift() : active[0]) as Key),
    retireEarly: vi.fn<KeyRing['retireEarly']>((key) => active[0]?.kid !== key.kid),
    refresh: vi.fn<KeyRing['refresh']>(async () => undefined),
    recordLifetime: vi.fn<KeyRing['recordLifetime']>(),
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
export const same = (error: unknown) => error;
export const forEver = () => new Promise<never>(() => {});
export const fail = (error: Error) => () => Promise.reject(error);

export const partsOf = (token: string) => parseCompact(token, 10_000);
export const isSignedBy = (key: Key, token: string) => {
  const { signingInput, signature, header } = partsOf(token);
  return header.kid === key.kid && isSignatureValid(signingInput, signature, key.publicKey, ES256);
};

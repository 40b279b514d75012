import { createHash } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { vi } from 'vitest';
import { parseCompact } from '../../src/jwt/compact.js';
import { verifySignature } from '../../src/jwt/signature.js';
import { AliasSigner, type AliasSignerSettings } from '../../src/keys/alias-signer.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import type { TrustedKeys } from '../../src/keys/trusted-keys.js';
import type { KmsSignature, KmsSignRequest } from '../../src/kms/kms-gateway.js';
import type { KmsJwtEvent } from '../../src/events/kms-jwt.events.js';
import type { SignSettings } from '../../src/options/settings.js';
import { type SignerSettings, TokenSigner } from '../../src/service/token-signer.js';
import { newKeyPair } from '../support/forge.js';
import { verificationKey } from '../support/verification-key.js';

export const NOW = 1_700_000_000;
export const ARN = 'arn:aws:kms:eu-central-1:000000000000:key/';

export function newKey(kid: string, keyArn = ARN + kid) {
  const { publicKey, privateKey } = newKeyPair();
  const key: SigningKey = { ...verificationKey(kid, publicKey), keyArn };
  const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  /** The answer of KMS when this key signs. */
  const answer = ({ messageType, message }: KmsSignRequest): KmsSignature => {
    const digest = messageType === 'DIGEST' ? message : createHash('sha256').update(message).digest();
    // node:crypto cannot sign a digest with an EC key.
    const der = p256.sign(digest, secret, { prehash: false, lowS: false, format: 'der', extraEntropy: true });
    return { keyArn, signature: der };
  };
  return { ...key, answer };
}
type Key = ReturnType<typeof newKey>;
export const [A, B] = [newKey('a'), newKey('b')];

/** A signer whose ring has these active keys in order, and whose KMS gives these answers in order. */
export function newSigner(
  answers: ((request: KmsSignRequest) => KmsSignature | Promise<KmsSignature>)[] = [A.answer],
  settings: Partial<SignerSettings & AliasSignerSettings> = {},
  active: Key[] = [A],
) {
  let current: Key | undefined;
  const ring = {
    active: vi.fn<KeyRing['active']>(async () => {
      current = active.length > 1 ? active.shift() : active[0];
      return current as Key;
    }),
    retireEarly: vi.fn<KeyRing['retireEarly']>((key) => active[0]?.kid !== key.kid),
    refresh: vi.fn<KeyRing['refresh']>(async () => undefined),
    retry: vi.fn<KeyRing['retry']>(async () => undefined),
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
  const emit = (event: KmsJwtEvent) => void events.push(event);
  // The alias has just been looked up.
  const keys = {
    maySign: true,
    needsLookup: false,
    lookups: { unknownTarget: undefined, now: () => 0 },
    recordTarget: (keyArn: string) => current?.keyArn === keyArn,
  } as unknown as TrustedKeys;
  const aliasSigner = new AliasSigner(ring as unknown as KeyRing, keys, given, emit);
  const signer = new TokenSigner(ring, aliasSigner, gateway, given, emit);
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
  return header.kid === key.kid && verifySignature({ input: Buffer.from(signingInput), signature, key });
};

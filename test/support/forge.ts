import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** A P-256 key pair, like a KMS key of the spec ECC_NIST_P256. */
export function newKeyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

export function part(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token with any header and payload, made without this library. Strings are encoded as they are, objects as JSON. */
export function forge(header: unknown, payload: unknown, privateKey: KeyObject): string {
  const signingInput = `${part(header)}.${part(payload)}`;
  const signature = sign('sha256', Buffer.from(signingInput), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signingInput}.${signature.toString('base64url')}`;
}

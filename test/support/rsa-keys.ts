import { createPublicKey, type KeyObject } from 'node:crypto';

/** An RSA public key, or one restricted to RSA-PSS. Its modulus is arbitrary, because generating a key pair is slow. */
export function rsaPublicKey(modulusLength: number, type: 'rsa' | 'rsa-pss' = 'rsa'): KeyObject {
  const n = Buffer.alloc(modulusLength / 8, 0xff).toString('base64url');
  const key = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' });
  return type === 'rsa' ? key : restrictedToPss(key);
}

/** The same key with the algorithm id-RSASSA-PSS, 1.2.840.113549.1.1.10, without parameters (RFC 4055, section 3.1). */
function restrictedToPss(key: KeyObject): KeyObject {
  const spki = key.export({ format: 'der', type: 'spki' });
  const bitString = spki.subarray(spki.indexOf(Buffer.from('0500', 'hex')) + 2);
  const body = Buffer.concat([Buffer.from('300b06092a864886f70d01010a', 'hex'), bitString]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  const der = Buffer.concat([Buffer.from([0x30, 0x82]), length, body]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

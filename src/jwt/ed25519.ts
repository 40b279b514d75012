import type { KeyObject } from 'node:crypto';

/**
 * The encodings, without the sign bit, of the points of Ed25519 whose order divides 8. The encodings of p and p + 1 stand for
 * 0 and 1 (RFC 8032, section 5.1.3, has verifiers refuse these; OpenSSL does not).
 */
const SMALL_ORDER_POINTS: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);
const SIGN_BIT = 0x80;

/** Whether anybody can make signatures that are valid with this public key, because its order is small. */
export function hasSmallOrder(publicKey: KeyObject): boolean {
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const point = Buffer.from(x, 'base64url');
  point.writeUInt8(point.readUInt8(31) & ~SIGN_BIT, 31);
  return SMALL_ORDER_POINTS.has(point.toString('hex'));
}

import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { hasSmallOrder } from '../../src/jwt/ed25519.js';
import { SMALL_ORDER_POINTS } from '../support/small-order-points.js';

const keyOf = (point: Buffer) =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') }, format: 'jwk' });

test.each(SMALL_ORDER_POINTS)('%s has small order', (point) => {
  expect(hasSmallOrder(keyOf(Buffer.from(point, 'hex')))).toBe(true);
});

test('generated keys do not have small order', () => {
  for (let count = 0; count < 20; count += 1) {
    expect(hasSmallOrder(generateKeyPairSync('ed25519').publicKey)).toBe(false);
  }
});

test.each(SMALL_ORDER_POINTS)(
  'a key that differs from %s in one bit other than the sign does not have small order',
  (encoded) => {
    const point = Buffer.from(encoded, 'hex');
    point.writeUInt8(point.readUInt8(16) ^ 1, 16);
    expect(hasSmallOrder(keyOf(point))).toBe(false);
  },
);

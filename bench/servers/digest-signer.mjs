// ECDSA over a digest, like KMS with `MessageType: 'DIGEST'`. node:crypto cannot sign a digest: it always hashes its input.
import { createECDH } from 'node:crypto';
import formatter from 'ecdsa-sig-formatter';

/** The order of P-256 (FIPS 186-5). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const NONCES = 256;

/**
 * Signs in a few microseconds, so that the server takes little CPU from the contenders. It reuses its nonces,
 * which reveals the private key to anyone with two signatures: for the throwaway key of a benchmark only.
 *
 * @param {import('node:crypto').KeyObject} privateKey
 * @returns {(digest: Buffer) => Buffer} a signature in DER
 */
export function digestSigner(privateKey) {
  const d = numberOf(Buffer.from(privateKey.export({ format: 'jwk' }).d, 'base64url'));
  const nonces = Array.from({ length: NONCES }, makeNonce);
  let next = 0;
  return (digest) => {
    const { r, inverse } = nonces[next];
    next = (next + 1) % NONCES;
    const s = (inverse * (numberOf(digest) + r * d)) % ORDER;
    return formatter.joseToDer(Buffer.concat([bytesOf(r), bytesOf(s)]).toString('base64url'), 'ES256');
  };
}

/** For a random k: the x-coordinate of k times the base point, and the inverse of k. */
function makeNonce() {
  const ecdh = createECDH('prime256v1');
  const point = ecdh.generateKeys();
  return { r: numberOf(point.subarray(1, 33)) % ORDER, inverse: inverseOf(numberOf(ecdh.getPrivateKey())) };
}

/** The modular inverse, with the extended Euclidean algorithm. */
function inverseOf(value) {
  let [a, b] = [value, ORDER];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % ORDER) + ORDER) % ORDER;
}

function numberOf(bytes) {
  return BigInt(`0x${bytes.toString('hex')}`);
}

function bytesOf(value) {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
}

// The reference: node:crypto verifies only the signature, and neither header nor claims are read.
import { verify } from 'node:crypto';

/**
 * Verifies on the main thread.
 *
 * @param {import('node:crypto').KeyObject} publicKey
 */
export function rawVerifier(publicKey) {
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' };
  return (token) => {
    const { input, signature } = split(token);
    return verify('sha256', input, key, signature);
  };
}

/**
 * Verifies on the thread pool.
 *
 * @param {import('node:crypto').KeyObject} publicKey
 */
export function rawPoolVerifier(publicKey) {
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' };
  return (token) => {
    const { input, signature } = split(token);
    return new Promise((resolve, reject) => {
      verify('sha256', input, key, signature, (error, isValid) => (error ? reject(error) : resolve(isValid)));
    });
  };
}

function split(token) {
  const dot = token.lastIndexOf('.');
  return {
    input: Buffer.from(token.slice(0, dot), 'latin1'),
    signature: Buffer.from(token.slice(dot + 1), 'base64url'),
  };
}

import { createECDH } from 'node:crypto';

/** An elliptic curve, by its name in OpenSSL and the order of its base point. */
export interface Curve {
  readonly name: string;
  readonly order: bigint;
}

/**
 * Signs a digest with ECDSA and returns the signature in DER.
 *
 * node:crypto hashes whatever it signs with an EC key, and KMS takes digests. So OpenSSL multiplies the
 * points here and the rest is done in the open. Not constant in time: for keys of development only.
 */
export function signDigest(curve: Curve, privateKey: bigint, digest: Uint8Array): Buffer {
  const ephemeral = createECDH(curve.name);
  ephemeral.generateKeys();
  const k = toBigInt(ephemeral.getPrivateKey());
  const r = xOf(ephemeral.getPublicKey()) % curve.order;
  const s = modulo(inverse(k, curve.order) * (toBigInt(digest) + r * privateKey), curve.order);
  return encode(r, s);
}

/**
 * Whether `signature` is the strict DER of an ECDSA signature of `digest` by `privateKey`.
 *
 * Who holds the private key can solve for the ephemeral key, and look whether it gives the same r: this
 * needs no addition of points, which node:crypto does not offer.
 */
export function verifyDigest(
  curve: Curve,
  privateKey: bigint,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const [r, s] = decode(signature);
  if (r === 0n || s === 0n || r >= curve.order || s >= curve.order) return false;
  if (!encode(r, s).equals(signature)) return false;

  const k = modulo(inverse(s, curve.order) * (toBigInt(digest) + r * privateKey), curve.order);
  if (k === 0n) return false;
  const ephemeral = createECDH(curve.name);
  ephemeral.setPrivateKey(toHex(k), 'hex');
  return xOf(ephemeral.getPublicKey()) % curve.order === r;
}

/** The private scalar of an EC key, from the `d` of its JWK. */
export function scalarOf(d: string): bigint {
  return toBigInt(Buffer.from(d, 'base64url'));
}

function encode(r: bigint, s: bigint): Buffer {
  const content = Buffer.concat([encodeInteger(r), encodeInteger(s)]);
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([0x30, ...length]), content]);
}

function encodeInteger(value: bigint): Buffer {
  const bytes = Buffer.from(toHex(value), 'hex');
  const padding = bytes[0]! < 0x80 ? [] : [0];
  return Buffer.concat([Buffer.from([0x02, padding.length + bytes.length, ...padding]), bytes]);
}

// Reads any bytes without complaint: the caller encodes the result again and compares.
function decode(der: Uint8Array): [r: bigint, s: bigint] {
  const first = der[1] === 0x81 ? 3 : 2;
  const second = first + 2 + (der[first + 1] ?? 0);
  return [toBigInt(der.subarray(first + 2, second)), toBigInt(der.subarray(second + 2))];
}

function xOf(uncompressedPoint: Buffer): bigint {
  return toBigInt(uncompressedPoint.subarray(1, (uncompressedPoint.length + 1) / 2));
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);
}

function toHex(value: bigint): string {
  const hex = value.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

function modulo(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus;
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [remainder, nextRemainder] = [modulus, value];
  let [factor, nextFactor] = [0n, 1n];
  while (nextRemainder !== 0n) {
    const quotient = remainder / nextRemainder;
    [remainder, nextRemainder] = [nextRemainder, remainder - quotient * nextRemainder];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return modulo(factor, modulus);
}

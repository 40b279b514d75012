import { sign } from 'node:crypto';
import {
  type Case,
  encode,
  goodClaims,
  goodHeader,
  type Keys,
  partsOf,
  seal,
  signature,
  signed,
  withClaims,
  withSignature,
} from '../support.js';

/** The order of P-256 (SEC 2, section 2.4.2). */
export const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export const toBytes = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
export const toInteger = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);

const zero = Buffer.alloc(32);
const r = (good: Buffer) => good.subarray(0, 32);
const s = (good: Buffer) => good.subarray(32);

function changed(name: string, source: string, change: (good: Buffer) => Buffer | string): Case {
  return { name, source, make: (keys) => withSignature(keys, change) };
}

const LENGTH = 'RFC 7518, section 3.4 (MUST be 64 octets)';
const RANGE = 'FIPS 186-5, section 6.4.2 (r and s in [1, n-1]); CVE-2022-21449';

export const signatures: readonly Case[] = [
  changed('empty', `${LENGTH}; CVE-2020-28042`, () => Buffer.alloc(0)),
  changed('of 1 byte', LENGTH, (good) => good.subarray(0, 1)),
  changed('of 32 bytes, r alone', LENGTH, r),
  changed('of 63 bytes', LENGTH, (good) => good.subarray(0, 63)),
  changed('of 63 bytes, without the first', LENGTH, (good) => good.subarray(1)),
  changed('of 65 bytes, a zero at the end', LENGTH, (good) => Buffer.concat([good, Buffer.alloc(1)])),
  changed('of 65 bytes, a zero in front', LENGTH, (good) => Buffer.concat([Buffer.alloc(1), good])),
  changed('of 66 bytes, r and s padded to 33', LENGTH, (good) =>
    Buffer.concat([Buffer.alloc(1), r(good), Buffer.alloc(1), s(good)]),
  ),
  changed('of 96 bytes, as for ES384', LENGTH, (good) =>
    Buffer.concat([Buffer.alloc(16), r(good), Buffer.alloc(16), s(good)]),
  ),
  changed('of 128 bytes, the valid one twice', LENGTH, (good) => Buffer.concat([good, good])),
  changed('of 128 bytes, padded with zeros', LENGTH, (good) => Buffer.concat([good, Buffer.alloc(64)])),
  changed('of 128 characters, in hex', LENGTH, (good) => Buffer.from(good.toString('hex'))),
  {
    name: 'in DER',
    source: LENGTH,
    make: (keys) => {
      const signingInput = `${encode(goodHeader(keys))}.${encode(goodClaims(keys))}`;
      return `${signingInput}.${sign('sha256', Buffer.from(signingInput), keys.privateKey).toString('base64url')}`;
    },
  },
  changed('of all zeros', RANGE, () => Buffer.alloc(64)),
  changed('of all ones', RANGE, () => Buffer.alloc(64, 0xff)),
  changed('with r and s equal to 1', RANGE, () => Buffer.concat([toBytes(1n), toBytes(1n)])),
  changed('with r zero', RANGE, (good) => Buffer.concat([zero, s(good)])),
  changed('with s zero', RANGE, (good) => Buffer.concat([r(good), zero])),
  changed('with r equal to n', RANGE, (good) => Buffer.concat([toBytes(ORDER), s(good)])),
  changed('with s equal to n', RANGE, (good) => Buffer.concat([r(good), toBytes(ORDER)])),
  changed('with r and s equal to n', RANGE, () => Buffer.concat([toBytes(ORDER), toBytes(ORDER)])),
  changed('with r above n', RANGE, (good) => Buffer.concat([toBytes(ORDER + 1n), s(good)])),
  changed('with s above n', RANGE, (good) => Buffer.concat([r(good), toBytes(ORDER + 1n)])),
  changed('with r of all ones', RANGE, (good) => Buffer.concat([Buffer.alloc(32, 0xff), s(good)])),
  changed('with s of all ones', RANGE, (good) => Buffer.concat([r(good), Buffer.alloc(32, 0xff)])),
  changed('with r negated', RANGE, (good) => Buffer.concat([toBytes(ORDER - toInteger(r(good))), s(good)])),
  changed('with r and s swapped', 'RFC 7518, section 3.4', (good) => Buffer.concat([s(good), r(good)])),
  changed('with its bytes reversed', 'RFC 7518, section 3.4 (big endian)', (good) =>
    Buffer.from(good.toReversed()),
  ),
  ...[0, 7, 255, 256, 511].map((bit) =>
    changed(`with bit ${bit} flipped`, 'RFC 7515, section 5.2, step 8', (good) => {
      const flipped = Buffer.from(good);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return flipped;
    }),
  ),
  {
    name: 'with s of another token',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys) => {
      const other = signature('another signing input', keys.privateKey);
      return withSignature(keys, (good) => Buffer.concat([r(good), s(other)]));
    },
  },
  {
    name: 'with r of another token',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys) => {
      const other = signature('another signing input', keys.privateKey);
      return withSignature(keys, (good) => Buffer.concat([r(other), s(good)]));
    },
  },
  {
    name: 'of another token of the same key',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys) => withSignature(keys, () => signature('another signing input', keys.privateKey)),
  },
  {
    name: 'of another key, under the trusted kid',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys) => seal(encode(goodHeader(keys)), encode(goodClaims(keys)), keys.attacker.privateKey),
  },
  {
    name: 'of another trusted key, under this kid',
    source: 'RFC 7515, section 6 (the header says which key); RFC 8725, section 3.8',
    make: (keys) => seal(encode(goodHeader(keys)), encode(goodClaims(keys)), keys.other.privateKey),
  },
  {
    name: 'of this key, under the kid of another trusted one',
    source: 'RFC 7515, section 6 (the header says which key); RFC 8725, section 3.8',
    make: (keys) => signed(keys, { ...goodHeader(keys), kid: keys.other.kid }),
  },
  {
    name: 'over the payload alone',
    source: 'RFC 7515, section 5.1, step 5',
    make: (keys) => withSignature(keys, () => signature(encode(goodClaims(keys)), keys.privateKey)),
  },
  {
    name: 'over the decoded parts',
    source: 'RFC 7515, section 5.1, step 5',
    make: (keys) => {
      const decoded = `${JSON.stringify(goodHeader(keys))}.${JSON.stringify(goodClaims(keys))}`;
      return withSignature(keys, () => signature(decoded, keys.privateKey));
    },
  },
  {
    name: 'of a token whose payload was changed',
    source: 'RFC 7515, section 5.2, step 8; CVE-2021-22573',
    make: (keys) => {
      const [header, , good] = partsOf(signed(keys));
      return `${header}.${encode({ ...goodClaims(keys), sub: 'root' })}.${good}`;
    },
  },
  {
    name: 'of a token whose header was changed',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys) => {
      const [, payload, good] = partsOf(signed(keys));
      return `${encode({ ...goodHeader(keys), 'x-tenant': 'a' })}.${payload}.${good}`;
    },
  },
  {
    name: 'of a token with swapped parts',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys) => {
      const [header, payload, good] = partsOf(withClaims(keys, goodHeader(keys)));
      return `${payload}.${header}.${good}`;
    },
  },
  {
    name: 'of a token with a moved dot',
    source: 'RFC 7515, section 5.2, step 8',
    make: (keys: Keys) => {
      const [header, payload, good] = partsOf(signed(keys));
      return `${header}${payload.slice(0, 4)}.${payload.slice(4)}.${good}`;
    },
  },
];

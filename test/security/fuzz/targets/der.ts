import { integerOf } from '../../algorithm-keys.js';

/** The integers of a well-formed ECDSA signature. */
export function integersIn(good: Buffer): [r: bigint, s: bigint] {
  const body = bodyOf(good);
  const sStart = 2 + (body[1] ?? 0);
  return [integerOf(body.subarray(2, sStart)), integerOf(body.subarray(sStart + 2))];
}

/** The content of a SEQUENCE whose length is in the shortest form. */
function bodyOf(good: Buffer): Buffer {
  return good.subarray((good[1] ?? 0) < 0x80 ? 2 : 3);
}

/** @param padding bytes of zeros that DER does not allow */
export function encoded(value: bigint, padding = 0): Buffer {
  const digits = value.toString(16);
  const octets = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  const sign = Number((octets[0] ?? 0) >= 0x80);
  return Buffer.concat([
    Buffer.from([0x02, octets.length + sign + padding]),
    Buffer.alloc(sign + padding),
    octets,
  ]);
}

export function sequence(body: Buffer): Buffer {
  const length = body.length < 0x80 ? [body.length] : [0x81, body.length];
  return Buffer.concat([Buffer.from([0x30, ...length]), body]);
}

const tagged = (length: readonly number[], ...rest: Buffer[]) =>
  Buffer.concat([Buffer.from([0x30, ...length]), ...rest]);

/** The same two integers in BER, and other encodings that lax parsers accept (X.690, sections 8.1, 8.3 and 10.1). */
export const REENCODINGS: readonly ((good: Buffer, order: bigint) => Buffer)[] = [
  (good) => tagged([bodyOf(good).length & 0x7f], bodyOf(good)),
  (good) => tagged([0x81, bodyOf(good).length], bodyOf(good)),
  (good) => tagged([0x82, 0, bodyOf(good).length], bodyOf(good)),
  (good) => tagged([0x83, 0, 0, bodyOf(good).length], bodyOf(good)),
  (good) => tagged([0x80], bodyOf(good), Buffer.alloc(2)),
  (good) => tagged([0x81, bodyOf(good).length + 1], bodyOf(good)),
  (good) => Buffer.concat([good, Buffer.alloc(1)]),
  (good) => Buffer.concat([good, good]),
  (good) => sequence(good),
  (good) => bodyOf(good),
  (good) =>
    sequence(
      Buffer.concat(
        integersIn(good)
          .toReversed()
          .map((value) => encoded(value)),
      ),
    ),
  (good) => sequence(Buffer.concat(integersIn(good).map((value) => encoded(value, 1)))),
  (good, order) => sequence(Buffer.concat(integersIn(good).map((value) => encoded(value + order)))),
  (good) => sequence(Buffer.concat([...integersIn(good).map((value) => encoded(value)), encoded(1n)])),
];

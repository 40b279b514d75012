import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type AlgorithmCase, bytesOf, changedSignature, integerOf } from '../../algorithm-keys.js';

interface Curve {
  readonly hash: string;
  /** The length of r, and of s, in bytes. */
  readonly length: number;
  /** The order of the base point (SEC 2, section 2). */
  readonly order: bigint;
  /** Another curve with signatures of the same or nearly the same length. */
  readonly sibling: string;
}

export const CURVES = {
  ES256: {
    hash: 'sha256',
    length: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    sibling: 'secp256k1',
  },
  ES384: {
    hash: 'sha384',
    length: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    sibling: 'brainpoolP384r1',
  },
  ES512: {
    hash: 'sha512',
    length: 66,
    order:
      0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    sibling: 'brainpoolP512r1',
  },
  ES256K: {
    hash: 'sha256',
    length: 32,
    order: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
    sibling: 'P-256',
  },
} as const satisfies Record<string, Curve>;

export type EcdsaName = keyof typeof CURVES;

const LENGTH = 'RFC 7518, section 3.4 (MUST be 2 × the length of n); RFC 8812, section 3.2';
const RANGE = 'FIPS 186-5, section 6.4.2 (r and s in [1, n-1]); CVE-2022-21449';

/** R and S of a signature, each with the length of the order. */
function halves(good: Buffer): [r: Buffer, s: Buffer] {
  return [good.subarray(0, good.length / 2), good.subarray(good.length / 2)];
}

/** (r, n - s), which ECDSA also accepts. */
export function twin(good: Buffer, alg: EcdsaName): Buffer {
  const [r, s] = halves(good);
  return Buffer.concat([r, bytesOf(CURVES[alg].order - integerOf(s), s.length)]);
}

export function ecdsa(alg: EcdsaName): readonly AlgorithmCase[] {
  return [...encodings(alg), ...ranges(alg), ...otherKinds(alg)];
}

const padded = (good: Buffer, to: number) =>
  Buffer.concat(halves(good).map((integer) => bytesOf(integerOf(integer), to)));

function encodings(alg: EcdsaName): AlgorithmCase[] {
  const { hash, length } = CURVES[alg];

  return [
    changedSignature('in DER', LENGTH, (_, input, { trusted }) => sign(hash, input, privateKeyOf(trusted))),
    changedSignature('in DER, cut or padded to the right length', LENGTH, (good, input, { trusted }) =>
      Buffer.concat([sign(hash, input, privateKeyOf(trusted)), Buffer.alloc(8)]).subarray(0, good.length),
    ),
    changedSignature('of R alone', LENGTH, (good) => halves(good)[0]),
    changedSignature('of R, S and the recovery id', LENGTH, (good) =>
      Buffer.concat([good, Buffer.from([1])]),
    ),
    changedSignature('with S before R', LENGTH, (good) => Buffer.concat(halves(good).toReversed())),
    changedSignature('with R and S in little endian', LENGTH, (good) =>
      Buffer.concat(halves(good).map((integer) => integer.toReversed())),
    ),
    ...[32, 48, 64, 65, 66, 67, 72]
      .filter((to) => to > length)
      .map((to) =>
        changedSignature(`with R and S padded to ${to} bytes each`, LENGTH, (good) => padded(good, to)),
      ),
    changedSignature('without the first byte of R', LENGTH, (good) => good.subarray(1)),
    changedSignature('without the first byte of S', LENGTH, (good) =>
      Buffer.concat([halves(good)[0], halves(good)[1].subarray(1)]),
    ),
    changedSignature('without the first bytes of R and S', LENGTH, (good) =>
      Buffer.concat(halves(good).map((integer) => integer.subarray(1))),
    ),
  ];
}

function ranges(alg: EcdsaName): AlgorithmCase[] {
  const { length, order } = CURVES[alg];
  const highest = 2n ** BigInt(8 * length) - 1n;
  const values: Record<string, bigint> = {
    '0': 0n,
    '1': 1n,
    'n - 1': order - 1n,
    n: order,
    'n + 1': order + 1n,
    'all ones': highest,
  };
  const inPlaceOf = (place: 0 | 1) =>
    Object.entries(values).map(([name, value]) =>
      changedSignature(`with ${name} as ${'RS'[place]}`, RANGE, (good) =>
        Buffer.concat(halves(good).with(place, bytesOf(value, length))),
      ),
    );
  const both = Object.entries(values).map(([name, value]) =>
    changedSignature(`with ${name} as R and S`, RANGE, () =>
      Buffer.concat([bytesOf(value, length), bytesOf(value, length)]),
    ),
  );
  // Only in P-521 does every integer plus n fit into the length.
  const beyond = [0, 1].map((place) =>
    changedSignature(`with ${'RS'[place]} plus n, or all ones if the sum does not fit`, RANGE, (good) => {
      const sum = integerOf(halves(good)[place] ?? good) + order;
      return Buffer.concat(halves(good).with(place, bytesOf(sum > highest ? highest : sum, length)));
    }),
  );
  const negated = changedSignature('with n - R as R', RANGE, (good) =>
    Buffer.concat(halves(good).with(0, bytesOf(order - integerOf(halves(good)[0]), length))),
  );
  return [...inPlaceOf(0), ...inPlaceOf(1), ...both, ...beyond, negated];
}

function otherKinds(alg: EcdsaName): AlgorithmCase[] {
  const { hash, sibling } = CURVES[alg];
  return [
    changedSignature(`by a key on ${sibling}`, 'RFC 7518, section 3.4; RFC 8812, section 3.2', (_, input) => {
      const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: sibling });
      return sign(hash, input, { key, dsaEncoding: 'ieee-p1363' });
    }),
    ...['sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha3-256']
      .filter((other) => other !== hash)
      .map((other) =>
        changedSignature(`of the ${other} of the token`, 'RFC 7518, section 3.4', (_, input, { trusted }) =>
          sign(other, input, { key: privateKeyOf(trusted), dsaEncoding: 'ieee-p1363' }),
        ),
      ),
  ];
}

function privateKeyOf({ privateKey }: { privateKey?: KeyObject }): KeyObject {
  if (!privateKey) throw new Error('The key is not a KeyObject of node:crypto');
  return privateKey;
}

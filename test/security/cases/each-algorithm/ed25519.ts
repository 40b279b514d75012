import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ed25519ctx, ed25519ph } from '@noble/curves/ed25519.js';
import { SMALL_ORDER_POINTS } from '../../../support/small-order-points.js';
import { type AlgorithmCase, changedSignature, integerOf, tokenFor } from '../../algorithm-keys.js';

/** The order of the base point (RFC 8032, section 5.1). */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const RANGE = 'RFC 8032, sections 5.1.7 and 8.4 (S in [0, L)); CVE-2020-12607';
const SMALL_ORDER = 'RFC 8032, section 5.1.7; FIPS 186-5, section 7.7.2';
const PURE = 'RFC 8037, section 3.1; RFC 9864, section 2.2 (Ed25519, neither Ed25519ph nor Ed25519ctx)';

const point = (good: Buffer) => good.subarray(0, 32);
const scalar = (good: Buffer) => good.subarray(32);

/** S is in little endian. */
const scalarOf = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toReversed();
const valueOf = (bytes: Buffer) => integerOf(bytes.toReversed());

function withScalar(name: string, change: (value: bigint) => bigint): AlgorithmCase {
  return changedSignature(name, RANGE, (good) =>
    Buffer.concat([point(good), scalarOf(change(valueOf(scalar(good))))]),
  );
}

const scalars: AlgorithmCase[] = [
  ...[1n, 2n, 8n, 14n].map((times) => withScalar(`with S + ${times} L as S`, (value) => value + times * L)),
  withScalar('with S = 0', () => 0n),
  withScalar('with S = 1', () => 1n),
  withScalar('with S = L', () => L),
  withScalar('with L - S as S', (value) => L - value),
  ...[253, 254, 255].map((bit) =>
    withScalar(`with bit ${bit} of S set`, (value) => value | (1n << BigInt(bit))),
  ),
];

const points: AlgorithmCase[] = [
  ...SMALL_ORDER_POINTS.flatMap((encoded) => [
    changedSignature(`with the point ${encoded} of small order as R`, SMALL_ORDER, (good) =>
      Buffer.concat([Buffer.from(encoded, 'hex'), scalar(good)]),
    ),
    changedSignature(`with the point ${encoded} of small order as R, and S = 0`, SMALL_ORDER, () =>
      Buffer.concat([Buffer.from(encoded, 'hex'), Buffer.alloc(32)]),
    ),
  ]),
  changedSignature('with the sign of R changed', 'RFC 8032, section 5.1.7', (good) => {
    const changed = Buffer.from(good);
    changed[31] = (changed[31] ?? 0) ^ 0x80;
    return changed;
  }),
  changedSignature('with S before R', 'RFC 8032, section 5.1.6', (good) =>
    Buffer.concat([scalar(good), point(good)]),
  ),
  changedSignature('with the public key as R', 'RFC 8032, section 5.1.7', (good, _, { trusted }) =>
    Buffer.concat([Buffer.from(trusted.jwk['x'] as string, 'base64url'), scalar(good)]),
  ),
];

const variants: AlgorithmCase[] = [
  changedSignature('of Ed25519ph', PURE, (_, input, { trusted }) => ed25519ph.sign(input, seedOf(trusted))),
  changedSignature('of Ed25519ctx, with an empty context', PURE, (_, input, { trusted }) =>
    ed25519ctx.sign(input, seedOf(trusted), { context: new Uint8Array() }),
  ),
  changedSignature('of Ed25519ctx, with a context', PURE, (_, input, { trusted }) =>
    ed25519ctx.sign(input, seedOf(trusted), { context: Buffer.from('JWT') }),
  ),
  ...['sha256', 'sha512'].map((hash) =>
    changedSignature(`of the ${hash} of the token`, PURE, (_, input, { trusted }) =>
      trusted.sign(createHash(hash).update(input).digest()),
    ),
  ),
  changedSignature('by a key of Ed448', PURE, (_, input) =>
    sign(undefined, input, generateKeyPairSync('ed448').privateKey),
  ),
  changedSignature('by a key of Ed448, cut to 64 bytes', PURE, (_, input) =>
    sign(undefined, input, generateKeyPairSync('ed448').privateKey).subarray(0, 64),
  ),
  ...['ED25519', 'ed25519', 'eddsa', 'EDDSA', 'EdDsa', 'Ed25519ctx'].map((alg): AlgorithmCase => ({
    name: `that is valid, under alg ${alg} exactly`,
    source: 'RFC 7515, section 4.1.1 (case-sensitive); RFC 9864, section 2.2',
    make: (keys) => tokenFor(keys, { alg }),
  })),
];

export const ed25519: readonly AlgorithmCase[] = [...scalars, ...points, ...variants];

/** The private key of RFC 8032, section 5.1.5. */
function seedOf({ privateKey }: { privateKey?: KeyObject }): Buffer {
  return Buffer.from(privateKey?.export({ format: 'jwk' }).d ?? '', 'base64url');
}

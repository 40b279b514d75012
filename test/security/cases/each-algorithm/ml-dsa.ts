import { createHash } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { type AlgorithmCase, changedSignature } from '../../algorithm-keys.js';

interface ParameterSet {
  readonly scheme: typeof ml_dsa44;
  /** The length of the commitment hash c̃, in bytes (FIPS 204, table 1: λ/4). */
  readonly hashLength: number;
  /** The length of the hint, in bytes: ω + k. */
  readonly hintLength: number;
  /** The length of the hint's positions, in bytes. */
  readonly omega: number;
}

const PARAMETER_SETS = {
  'ML-DSA-44': { scheme: ml_dsa44, hashLength: 32, hintLength: 84, omega: 80 },
  'ML-DSA-65': { scheme: ml_dsa65, hashLength: 48, hintLength: 61, omega: 55 },
  'ML-DSA-87': { scheme: ml_dsa87, hashLength: 64, hintLength: 83, omega: 75 },
} as const satisfies Record<string, ParameterSet>;

export type MlDsaName = keyof typeof PARAMETER_SETS;

const PURE = 'RFC 9964, section 3 (ML-DSA with an empty context, not HashML-DSA)';
const DECODING = 'FIPS 204, algorithms 21 and 27 (malformed hints are refused)';
/** 2.16.840.1.101.3.4.2.3, in DER. */
const SHA_512_OID = Buffer.from('0609608648016503040203', 'hex');

export function mlDsa(alg: MlDsaName): readonly AlgorithmCase[] {
  return [...variants(alg), ...malformed(alg), ...otherSets(alg)];
}

const secretOf = ({ secretKey = new Uint8Array() }: { secretKey?: Uint8Array }) => secretKey;

function variants(alg: MlDsaName): AlgorithmCase[] {
  const { scheme } = PARAMETER_SETS[alg];
  return [
    ...[1, 3, 255].map((length) =>
      changedSignature(`with a context of ${length} bytes`, PURE, (_, input, { trusted }) =>
        scheme.sign(input, secretOf(trusted), { context: Buffer.alloc(length, 'J') }),
      ),
    ),
    changedSignature('of HashML-DSA with SHA-512', PURE, (_, input, { trusted }) => {
      const hash = createHash('sha512').update(input).digest();
      const message = Buffer.concat([Buffer.from([1, 0]), SHA_512_OID, hash]);
      return scheme.internal.sign(message, secretOf(trusted));
    }),
    changedSignature('of the SHA-512 of the token', PURE, (_, input, { trusted }) =>
      trusted.sign(createHash('sha512').update(input).digest()),
    ),
    changedSignature('without the prefix of a context', 'FIPS 204, algorithm 2', (_, input, { trusted }) =>
      scheme.internal.sign(input, secretOf(trusted)),
    ),
    changedSignature('of a μ without the hash of the key', 'FIPS 204, algorithm 7', (_, input, { trusted }) =>
      scheme.internal.sign(
        createHash('shake256', { outputLength: 64 })
          .update(Buffer.from([0, 0]))
          .update(input)
          .digest(),
        secretOf(trusted),
        { externalMu: true },
      ),
    ),
    changedSignature('of μ instead of the token', PURE, (_, input, { trusted }) =>
      trusted.sign(createHash('shake256', { outputLength: 64 }).update(input).digest()),
    ),
  ];
}

const inPart = (good: Buffer, start: number, part: Buffer) =>
  Buffer.concat([good.subarray(0, start), part, good.subarray(start + part.length)]);

function malformed(alg: MlDsaName): AlgorithmCase[] {
  const { hashLength, hintLength, omega } = PARAMETER_SETS[alg];
  const hintOf = (good: Buffer) => good.subarray(-hintLength);
  const withHint = (good: Buffer, hint: Buffer) => inPart(good, good.length - hintLength, hint);

  return [
    changedSignature('with zeros as c̃', DECODING, (good) => inPart(good, 0, Buffer.alloc(hashLength))),
    changedSignature('with zeros as z', DECODING, (good) =>
      inPart(good, hashLength, Buffer.alloc(good.length - hashLength - hintLength)),
    ),
    changedSignature('with a z that is out of range', 'FIPS 204, algorithm 8, line 13', (good) =>
      inPart(good, hashLength, Buffer.alloc(good.length - hashLength - hintLength, 0xff)),
    ),
    changedSignature('without a hint', DECODING, (good) => withHint(good, Buffer.alloc(hintLength))),
    changedSignature('with a hint of all ones', DECODING, (good) =>
      withHint(good, Buffer.alloc(hintLength, 0xff)),
    ),
    changedSignature('with a hint of more positions than ω', DECODING, (good) => {
      const hint = Buffer.from(hintOf(good));
      hint[hintLength - 1] = omega + 1;
      return withHint(good, hint);
    }),
    changedSignature('with a hint whose counts decrease', DECODING, (good) => {
      const hint = Buffer.from(hintOf(good));
      hint[omega] = (hint[omega + 1] ?? 0) + 1;
      return withHint(good, hint);
    }),
    changedSignature('with a hint whose first two positions are swapped', DECODING, (good) => {
      const hint = Buffer.from(hintOf(good));
      [hint[0], hint[1]] = [hint[1] ?? 0, hint[0] ?? 0];
      return withHint(good, hint);
    }),
    changedSignature('with a non-zero position after the hint', DECODING, (good) => {
      const hint = Buffer.from(hintOf(good));
      const used = hint[hintLength - 1] ?? 0;
      // If all positions are in use, one is too many.
      if (used < omega) hint[used] = 1;
      else hint[hintLength - 1] = omega + 1;
      return withHint(good, hint);
    }),
  ];
}

/** Signatures of the other parameter sets, with the length of this one. */
function otherSets(alg: MlDsaName): AlgorithmCase[] {
  return Object.entries(PARAMETER_SETS)
    .filter(([name]) => name !== alg)
    .map(([name, { scheme }]) =>
      changedSignature(`of ${name}, cut or padded`, 'FIPS 204, table 2', (good, input) => {
        const signature = scheme.sign(input, scheme.keygen().secretKey);
        return Buffer.concat([signature, Buffer.alloc(good.length)]).subarray(0, good.length);
      }),
    );
}

import type { AlgorithmName } from 'nestjs-kms-jwt';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import {
  type AlgorithmCase,
  changedSignature,
  inputFor,
  integerOf,
  sealedBy,
  tokenFor,
} from '../../algorithm-keys.js';
import { CURVES, type EcdsaName, twin } from './ecdsa.js';
import type { MlDsaName } from './ml-dsa.js';
import { rawSignature, type RsaName, searched } from './rsa.js';
import { rightBlock } from './rsa-encodings.js';

const ML_DSA = { 'ML-DSA-44': ml_dsa44, 'ML-DSA-65': ml_dsa65, 'ML-DSA-87': ml_dsa87 };

const everyAlgorithm: readonly AlgorithmCase[] = [
  { name: 'issuer, audience and other claims', source: 'RFC 7519', make: (keys) => tokenFor(keys) },
  {
    name: 'another trusted key',
    source: 'RFC 7515, section 4.1.4',
    make: ({ other, ...keys }) => sealedBy(inputFor(keys, { kid: other.kid }), other.sign),
  },
  {
    name: 'a payload of 5,000 bytes, which exceeds the RAW limit of KMS',
    source: 'RFC 7519, section 3 (no limit)',
    make: (keys) => tokenFor(keys, {}, { name: 'n'.repeat(5000) }),
  },
  {
    name: 'characters of all Unicode planes',
    source: 'RFC 8259, section 8.1',
    make: (keys) => tokenFor(keys, {}, { name: 'Zoë 李 \u{1f511} \u0000 \u2028' }),
  },
];

function ecdsaValid(alg: EcdsaName): AlgorithmCase[] {
  const { length } = CURVES[alg];
  const isShort = (integer: Buffer) =>
    integerOf(integer) < 2n ** BigInt(8 * (length - 1) - (length === 66 ? 7 : 0));
  return [
    changedSignature('n - S as S', 'FIPS 186-5, section 6.4 (both are signatures)', (good) =>
      twin(good, alg),
    ),
    ...[0, length].map((start): AlgorithmCase => ({
      name: `${start ? 'S' : 'R'} with leading zeros`,
      source: 'RFC 7518, section 3.4 (octets of zeros are kept)',
      make: (keys) => {
        const input = inputFor(keys);
        let signature: Buffer;
        do signature = Buffer.from(keys.trusted.sign(Buffer.from(input)));
        while (!isShort(signature.subarray(start, start + length)));
        return sealedBy(input, () => signature);
      },
    })),
  ];
}

const rsaValid = (alg: RsaName): AlgorithmCase[] => [
  changedSignature('an encoding made by hand', 'RFC 8017, section 9', (_, input, keys) =>
    rawSignature(rightBlock(alg, input), keys),
  ),
  {
    name: 'a signature with leading zeros',
    source: 'RFC 8017, section 8.1.1 (as long as n)',
    make: (keys) => searched(keys, (good) => ({ value: good, isFound: good < 2n ** 2040n })),
  },
];

const mlDsaValid = (alg: MlDsaName): AlgorithmCase[] => [
  changedSignature('a signature without randomness', 'FIPS 204, section 3.4', (_, input, { trusted }) =>
    ML_DSA[alg].sign(input, trusted.secretKey ?? new Uint8Array(), { extraEntropy: false }),
  ),
];

/** Tokens that a verifier of this algorithm must accept. */
export function validFor(alg: AlgorithmName): readonly AlgorithmCase[] {
  if (alg in CURVES) return [...everyAlgorithm, ...ecdsaValid(alg as EcdsaName)];
  if (alg in ML_DSA) return [...everyAlgorithm, ...mlDsaValid(alg as MlDsaName)];
  if (/^[RP]S/.test(alg)) return [...everyAlgorithm, ...rsaValid(alg as RsaName)];
  return everyAlgorithm;
}

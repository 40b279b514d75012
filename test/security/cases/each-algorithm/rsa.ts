import { constants, type KeyObject, privateEncrypt, sign } from 'node:crypto';
import {
  type AlgorithmCase,
  type AlgorithmKeys,
  bytesOf,
  changedSignature,
  inputFor,
  integerOf,
  sealedBy,
} from '../../algorithm-keys.js';

export const RSA_NAMES = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
export type RsaName = (typeof RSA_NAMES)[number];

const RANGE = 'RFC 8017, sections 5.2.2 and 8.1.2 (s in [0, n-1], as long as n)';
const BOUND = 'RFC 8725, section 3.1; RFC 7517, section 4.4 (the alg of the key)';

export const hashOf = (alg: RsaName) => `sha${alg.slice(2)}`;
export const isPss = (alg: RsaName) => alg.startsWith('PS');

export function privateKeyOf({ privateKey }: { privateKey?: KeyObject }): KeyObject {
  if (!privateKey) throw new Error('The key is not a KeyObject of node:crypto');
  return privateKey;
}

/** The signature of an encoded message, even if the encoding is wrong. */
export function rawSignature(encoded: Buffer, keys: AlgorithmKeys): Buffer {
  return privateEncrypt({ key: privateKeyOf(keys.trusted), padding: constants.RSA_NO_PADDING }, encoded);
}

/** The signature of the key with another RSA algorithm. */
function signedAs(
  alg: RsaName,
  input: Buffer,
  key: KeyObject,
  saltLength = Number(alg.slice(2)) / 8,
): Buffer {
  const padding = isPss(alg) ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  return sign(hashOf(alg), input, { key, padding, ...(isPss(alg) && { saltLength }) });
}

const modulusOf = ({ trusted: { jwk } }: AlgorithmKeys) =>
  integerOf(Buffer.from(jwk['n'] as string, 'base64url'));

/** Numbers that are congruent to the signature modulo n, and other wrong numbers. */
const ranges: AlgorithmCase[] = [
  ...Object.entries<(n: bigint, s: bigint) => bigint>({
    '0': () => 0n,
    '1': () => 1n,
    'n - 1': (n) => n - 1n,
    n: (n) => n,
    'n + 1': (n) => n + 1n,
    'n - s': (n, s) => n - s,
  }).map(([name, change]) =>
    changedSignature(`of ${name}`, RANGE, (good, _, keys) =>
      bytesOf(change(modulusOf(keys), integerOf(good)), good.length),
    ),
  ),
  {
    name: 'of s + n, in as many bytes',
    source: RANGE,
    make: (keys) => searched(keys, (good, n) => ({ value: good + n, isFound: good + n < 2n ** 2048n })),
  },
  changedSignature('of s + n, in one more byte', RANGE, (good, _, keys) =>
    bytesOf(integerOf(good) + modulusOf(keys), good.length + 1),
  ),
  {
    name: 'without its leading zero',
    source: RANGE,
    make: (keys) => {
      const token = searched(keys, (good) => ({ value: good, isFound: good < 2n ** 2040n }));
      const [header, payload, signature = ''] = token.split('.');
      return `${header}.${payload}.${Buffer.from(signature, 'base64url').subarray(1).toString('base64url')}`;
    },
  },
  changedSignature('in little endian', 'RFC 8017, section 4.1', (good) => good.toReversed()),
];

/** A token whose signature has this property, which one in a few hundred has. */
export function searched(
  keys: AlgorithmKeys,
  change: (good: bigint, n: bigint) => { value: bigint; isFound: boolean },
): string {
  for (let jti = 0; jti < 10_000; jti += 1) {
    const input = inputFor(keys, {}, { jti: String(jti) });
    const good = keys.trusted.sign(Buffer.from(input));
    const { value, isFound } = change(integerOf(good), modulusOf(keys));
    if (isFound) return sealedBy(input, () => bytesOf(value, good.length));
  }
  throw new Error('There is no such signature');
}

/** Signatures of the right key with another algorithm for RSA keys. */
function otherAlgorithms(own: RsaName): AlgorithmCase[] {
  return RSA_NAMES.filter((alg) => alg !== own).flatMap((alg): AlgorithmCase[] => [
    changedSignature(`of the same key as ${alg}`, BOUND, (_, input, { trusted }) =>
      signedAs(alg, input, privateKeyOf(trusted)),
    ),
    {
      name: `of the same key as ${alg}, under that alg`,
      source: BOUND,
      make: (keys) =>
        sealedBy(inputFor(keys, { alg }), (input) => signedAs(alg, input, privateKeyOf(keys.trusted))),
    },
  ]);
}

/** Hashes that are too weak, or not that of the algorithm. */
function otherHashes(own: RsaName): AlgorithmCase[] {
  const padding = isPss(own) ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  return ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha3-256']
    .filter((hash) => hash !== hashOf(own))
    .map((hash) =>
      changedSignature(`of the ${hash} of the token`, 'RFC 7518, section 3.1', (_, input, { trusted }) =>
        sign(hash, input, { key: privateKeyOf(trusted), padding }),
      ),
    );
}

function otherSalts(own: RsaName): AlgorithmCase[] {
  if (!isPss(own)) return [];
  const hashLength = Number(own.slice(2)) / 8;
  // With RSA-2048 the salt can have 254 bytes minus the hash.
  return [0, 1, 20, hashLength - 1, hashLength + 1, 254 - hashLength].map((length) =>
    changedSignature(
      `with a salt of ${length} bytes`,
      'RFC 7518, section 3.5 (as long as the hash)',
      (_, input, { trusted }) => signedAs(own, input, privateKeyOf(trusted), length),
    ),
  );
}

export function rsa(own: RsaName): readonly AlgorithmCase[] {
  return [...ranges, ...otherAlgorithms(own), ...otherHashes(own), ...otherSalts(own)];
}

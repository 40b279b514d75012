import { createHmac, createPublicKey } from 'node:crypto';
import type { AlgorithmName } from 'nestjs-kms-jwt';
import { type ForeignKey, NAMES, ROWS } from '../../../algorithms/support.js';
import {
  type AlgorithmCase,
  type AlgorithmKeys,
  changedSignature,
  headerFor,
  inputFor,
  sealedBy,
  tokenFor,
} from '../../algorithm-keys.js';
import { encode, goodClaims, partsOf } from '../../support.js';

const STEP_8 = 'RFC 7515, section 5.2, step 8';
const CONFUSION = 'RFC 8725, sections 2.1 and 3.1; RFC 7515, section 4.1.1';

const lengths: AlgorithmCase[] = [
  changedSignature('empty', `${STEP_8}; CVE-2020-28042`, () => Buffer.alloc(0)),
  changedSignature('of 1 byte', STEP_8, (good) => good.subarray(0, 1)),
  changedSignature('of half its length', STEP_8, (good) => good.subarray(0, good.length / 2)),
  changedSignature('without its last byte', STEP_8, (good) => good.subarray(0, -1)),
  changedSignature('without its first byte', STEP_8, (good) => good.subarray(1)),
  changedSignature('with a trailing zero byte', STEP_8, (good) => Buffer.concat([good, Buffer.alloc(1)])),
  changedSignature('with a leading zero byte', STEP_8, (good) => Buffer.concat([Buffer.alloc(1), good])),
  changedSignature('twice', STEP_8, (good) => Buffer.concat([good, good])),
  changedSignature('in hex', STEP_8, (good) => Buffer.from(good.toString('hex'))),
  changedSignature('in base64', STEP_8, (good) => Buffer.from(good.toString('base64'))),
];

const contents: AlgorithmCase[] = [
  changedSignature('of all zeros', STEP_8, (good) => Buffer.alloc(good.length)),
  changedSignature('of all ones', STEP_8, (good) => Buffer.alloc(good.length, 0xff)),
  changedSignature('with its bytes reversed', STEP_8, (good) => good.toReversed()),
  changedSignature('with its halves swapped', STEP_8, (good) =>
    Buffer.concat([good.subarray(good.length / 2), good.subarray(0, good.length / 2)]),
  ),
  ...[0, 0.25, 0.5, 0.75, 1].map((place) =>
    changedSignature(`with a bit flipped at ${100 * place} % of it`, STEP_8, (good) => {
      const flipped = Buffer.from(good);
      const at = Math.round(place * (good.length - 1));
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      return flipped;
    }),
  ),
  changedSignature('of another token of the same key', STEP_8, (_, input, { trusted }) =>
    trusted.sign(Buffer.concat([input, Buffer.from('A')])),
  ),
  changedSignature('over the payload alone', 'RFC 7515, section 5.1, step 5', (_, input, { trusted }) =>
    trusted.sign(input.subarray(input.indexOf('.') + 1)),
  ),
  changedSignature('of another key, under the trusted kid', STEP_8, (_, input, { attacker }) =>
    attacker.sign(input),
  ),
  changedSignature(
    'of another trusted key, under this kid',
    'RFC 7515, section 6; RFC 8725, section 3.8',
    (_, input, { other }) => other.sign(input),
  ),
  {
    name: 'of this key, under the kid of another trusted one',
    source: 'RFC 7515, section 6; RFC 8725, section 3.8',
    make: (keys) => tokenFor(keys, { kid: keys.other.kid }),
  },
  {
    name: 'of a token whose payload was changed',
    source: `${STEP_8}; CVE-2021-22573`,
    make: (keys) => {
      const [header, , good] = partsOf(tokenFor(keys));
      return `${header}.${encode({ ...goodClaims(keys), sub: 'root' })}.${good}`;
    },
  },
  {
    name: 'of a token whose header was changed',
    source: STEP_8,
    make: (keys) => {
      const [, payload, good] = partsOf(tokenFor(keys));
      return `${encode({ ...headerFor(keys), 'x-tenant': 'a' })}.${payload}.${good}`;
    },
  },
];

/** Names that resemble the name of an algorithm. */
const NO_NAMES = ['none', 'HS256', 'HS512', 'RSA1_5', 'RSA-OAEP', 'ECDH-ES', 'Ed448', 'Ed25519ph', 'ES256R'];
const LIKE_ITS_NAME: Record<string, (alg: string) => unknown> = {
  'in lower case': (alg) => alg.toLowerCase(),
  'with a trailing space': (alg) => `${alg} `,
  'with a leading space': (alg) => ` ${alg}`,
  'with a trailing NUL': (alg) => `${alg}\u0000`,
  'without its last character': (alg) => alg.slice(0, -1),
  'with one more character': (alg) => `${alg}0`,
  'with another hyphen': (alg) => `${alg}\u2010`,
  'in an array': (alg) => [alg],
  'in an object': (alg) => ({ toString: alg }),
};

const names: AlgorithmCase[] = [
  ...NO_NAMES.map((alg): AlgorithmCase => ({
    name: `that is valid, under alg ${alg}`,
    source: CONFUSION,
    make: (keys) => tokenFor(keys, { alg }),
  })),
  ...Object.entries(LIKE_ITS_NAME).map(([how, respell]): AlgorithmCase => ({
    name: `that is valid, under its own alg ${how}`,
    source: 'RFC 7515, section 4.1.1 (a case-sensitive string)',
    make: (keys) => tokenFor(keys, { alg: respell(keys.alg) }),
  })),
  {
    name: 'that is valid, without alg',
    source: 'RFC 7515, section 4.1.1 (MUST be present)',
    make: (keys) => tokenFor(keys, { alg: undefined }),
  },
  {
    name: 'that is empty, under alg none',
    source: 'RFC 8725, section 3.2; CVE-2022-23540',
    make: (keys) => `${inputFor(keys, { alg: 'none' })}.`,
  },
];

const foreignKeys = new Map<AlgorithmName, ForeignKey>();

/** A key of the attacker, generated once. */
function foreignKey(alg: AlgorithmName): ForeignKey {
  const key = foreignKeys.get(alg) ?? ROWS[alg].newKey();
  foreignKeys.set(alg, key);
  return key;
}

/** The cases of the other algorithms, each with a key for that algorithm. */
function confusions(own: AlgorithmName): AlgorithmCase[] {
  return NAMES.filter((alg) => alg !== own).flatMap((alg): AlgorithmCase[] => [
    {
      name: `that is valid, under alg ${alg}`,
      source: CONFUSION,
      make: (keys) => tokenFor(keys, { alg }),
    },
    {
      name: `of ${alg} with a key of that kind`,
      source: CONFUSION,
      make: (keys) => sealedBy(inputFor(keys, { alg }), foreignKey(alg).sign),
    },
    {
      name: `of ${alg} with a key of that kind, under the right alg`,
      source: CONFUSION,
      make: (keys) => sealedBy(inputFor(keys), foreignKey(alg).sign),
    },
  ]);
}

/** Forms of a public key that an application may pass to a verifier, which could use them as an HMAC secret. */
const SECRETS: Record<string, (keys: AlgorithmKeys) => string | Buffer> = {
  'PEM, or its bytes': ({ trusted: { jwk } }) => pemOf(jwk) ?? rawKey(jwk),
  'PEM without its last newline, or its bytes in base64': ({ trusted: { jwk } }) =>
    pemOf(jwk)?.trimEnd() ?? rawKey(jwk).toString('base64'),
  'the JWK as JSON': ({ trusted: { jwk } }) => JSON.stringify(jwk),
  'the JWK as JSON with kid, alg and use': ({ alg, trusted: { jwk, kid } }) =>
    JSON.stringify({ ...jwk, kid, alg, use: 'sig' }),
  'number or point, in base64url': ({ trusted: { jwk } }) => rawKey(jwk).toString('base64url'),
  'number or point': ({ trusted: { jwk } }) => rawKey(jwk),
  kid: ({ trusted: { kid } }) => kid,
};

function rawKey({ n, x, pub }: Record<string, unknown>): Buffer {
  return Buffer.from((n ?? x ?? pub) as string, 'base64url');
}

/** Undefined for ML-DSA, which some versions of `node:crypto` lack. */
function pemOf(jwk: Record<string, unknown>): string | undefined {
  if (jwk['kty'] === 'AKP') return undefined;
  const key = createPublicKey({ key: jwk as never, format: 'jwk' });
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

const hmacs: AlgorithmCase[] = Object.entries(SECRETS).flatMap(([form, secretOf]): AlgorithmCase[] => [
  ...([256, 384, 512] as const).map((bits): AlgorithmCase => ({
    name: `that is HS${bits}, keyed with the key's ${form}`,
    source: `${CONFUSION}; CVE-2015-9235, CVE-2024-33663`,
    make: (keys) =>
      sealedBy(inputFor(keys, { alg: `HS${bits}` }), (input) =>
        createHmac(`sha${bits}`, secretOf(keys)).update(input).digest(),
      ),
  })),
  changedSignature(
    `that is an HMAC keyed with the key's ${form}, under the right alg`,
    CONFUSION,
    (_, input, keys) => createHmac('sha512', secretOf(keys)).update(input).digest(),
  ),
]);

/** Signatures that a verifier of this algorithm must refuse. */
export function everyAlgorithm(alg: AlgorithmName): readonly AlgorithmCase[] {
  return [...lengths, ...contents, ...names, ...confusions(alg), ...hmacs];
}

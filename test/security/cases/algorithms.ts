import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  type Case,
  encode,
  forged,
  goodClaims,
  goodHeader,
  hmacToken,
  type Keys,
  signed,
} from '../support.js';

function unsigned(keys: Keys, alg: string): string {
  return `${encode({ ...goodHeader(keys), alg })}.${encode(goodClaims(keys))}.`;
}

/** Signed with a key for the algorithm, under the kid of the trusted key. */
function signedAs(keys: Keys, alg: string, key: KeyObject, hash: string | null): string {
  const signingInput = `${encode({ ...goodHeader(keys), alg })}.${encode(goodClaims(keys))}`;
  const bytes = sign(hash, Buffer.from(signingInput), { key, dsaEncoding: 'ieee-p1363' });
  return `${signingInput}.${bytes.toString('base64url')}`;
}

const ecKey = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsaKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

const SPELLINGS_OF_NONE = [
  'none',
  'None',
  'NONE',
  'nOnE',
  'nonE',
  ' none',
  'none ',
  'none\u0000',
  'ｎone',
  '',
];

/** Forms of a public key that an application may pass to a verifier, which could use them as an HMAC secret. */
const FORMS_OF_THE_KEY: Record<string, (keys: Keys) => string | Buffer> = {
  'the PEM with its last newline': ({ publicKey }) => pem(publicKey),
  'the PEM without its last newline': ({ publicKey }) => pem(publicKey).trimEnd(),
  'the PEM with CRLF': ({ publicKey }) => pem(publicKey).replaceAll('\n', '\r\n'),
  'only the body of the PEM': ({ publicKey }) => pem(publicKey).replaceAll(/-----.*-----|\n/g, ''),
  DER: ({ publicKey }) => publicKey.export({ type: 'spki', format: 'der' }),
  'the JWK as JSON': ({ publicKey }) => JSON.stringify(publicKey.export({ format: 'jwk' })),
  'the JWK as JSON with kid, alg and use': ({ publicKey, kid }) =>
    JSON.stringify({ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }),
  'the point, x and y': ({ publicKey }) => point(publicKey),
  'the point, uncompressed': ({ publicKey }) => Buffer.concat([Buffer.from([4]), point(publicKey)]),
  'x in base64url': ({ publicKey }) => publicKey.export({ format: 'jwk' }).x ?? '',
  'the kid': ({ kid }) => kid,
  'an empty key': () => '',
};

function pem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function point(publicKey: KeyObject): Buffer {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

const none: Case[] = SPELLINGS_OF_NONE.flatMap((alg) => [
  {
    name: `alg ${JSON.stringify(alg)}, without a signature`,
    source: 'RFC 7519, section 6; RFC 8725, section 3.2; CVE-2022-23540',
    make: (keys) => unsigned(keys, alg),
  },
  {
    name: `alg ${JSON.stringify(alg)}, with a signature of the attacker`,
    source: 'RFC 8725, section 2.1',
    make: (keys) => forged(keys, { alg }),
  },
]);

const hmac: Case[] = ([256, 384, 512] as const).flatMap((bits) =>
  Object.entries(FORMS_OF_THE_KEY).map(([form, secretOf]) => ({
    name: `HS${bits} keyed with ${form}`,
    source: 'RFC 8725, sections 2.1 and 3.1; CVE-2015-9235, CVE-2022-29217, CVE-2024-33663',
    make: (keys) => hmacToken(keys, bits, secretOf(keys)),
  })),
);

const others: Case[] = (
  [
    ['ES384', () => ecKey('P-384'), 'sha384'],
    ['ES512', () => ecKey('P-521'), 'sha512'],
    ['ES256K', () => ecKey('secp256k1'), 'sha256'],
    ['RS256', rsaKey, 'sha256'],
    ['EdDSA', () => generateKeyPairSync('ed25519').privateKey, null],
    ['ES256', () => ecKey('P-384'), 'sha256'],
    ['ES256', () => ecKey('secp256k1'), 'sha256'],
    ['ES256', rsaKey, 'sha256'],
  ] as const
).map(([alg, newKey, hash]) => {
  // This key only supplies the name of its type; the token is signed with another.
  const kind = newKey().asymmetricKeyDetails?.namedCurve ?? newKey().asymmetricKeyType;
  return {
    name: `${alg} with a key of ${kind}`,
    source: 'RFC 8725, section 3.1; RFC 7518, section 3.1',
    make: (keys) => signedAs(keys, alg, newKey(), hash),
  };
});

const ownKey: Case[] = [
  ...['ES384', 'ES512', 'ES256K', 'RS256', 'PS256', 'EdDSA', 'HS256', 'none', 'es256', 'Es256', ' ES256'].map(
    (alg): Case => ({
      name: `${JSON.stringify(alg)} with an ES256 signature of the trusted key`,
      source: 'RFC 7515, section 4.1.1 (case-sensitive); RFC 8725, section 3.1',
      make: (keys) => signed(keys, { ...goodHeader(keys), alg }),
    }),
  ),
  ...(
    [
      ['an array', ['ES256']],
      ['an array of algorithms', ['none', 'ES256']],
      ['an empty array', []],
      ['an object', { name: 'ES256' }],
      ['an object with toString', { toString: 'ES256', valueOf: 'ES256' }],
      ['null', null],
      ['a number', 256],
      ['true', true],
      ['__proto__', '__proto__'],
      ['constructor', 'constructor'],
      ['toString', 'toString'],
      ['hasOwnProperty', 'hasOwnProperty'],
      ['10 KB long', 'E'.repeat(10_000)],
    ] as const
  ).map(([what, alg]): Case => ({
    name: `alg that is ${what}`,
    source: 'RFC 7515, section 4.1.1',
    make: (keys) => signed(keys, { ...goodHeader(keys), alg }),
  })),
  {
    name: 'no alg',
    source: 'RFC 7515, section 4.1.1 (MUST be present)',
    make: (keys) => signed(keys, { typ: 'JWT', kid: keys.kid }),
  },
  {
    name: 'the member name ALG',
    source: 'RFC 7515, section 4 (names are case-sensitive)',
    make: (keys) => signed(keys, { ALG: 'ES256', typ: 'JWT', kid: keys.kid }),
  },
  {
    name: 'a SHA-512 signature with alg ES256',
    source: 'RFC 7518, section 3.4',
    make: (keys) => signedAs(keys, 'ES256', keys.privateKey, 'sha512'),
  },
];

export const algorithms: readonly Case[] = [...none, ...hmac, ...others, ...ownKey];

import { createPublicKey } from 'node:crypto';
import { JwtVerifier } from 'aws-jwt-verify';
import { createVerifier } from 'fast-jwt';
import { createLocalJWKSet, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import type { AlgorithmName, JsonWebKeySet } from 'nestjs-kms-jwt';
import { markdownTable } from '../support/markdown-table.js';

/** A token signed with one key spec, and the key set that verifies it. */
export interface Sample {
  readonly alg: AlgorithmName;
  readonly keySpec: string;
  readonly token: string;
  readonly keySet: JsonWebKeySet;
}

export const ISSUER = 'https://auth.example.com';
export const AUDIENCE = 'my-app';

const COOKIE_BYTES = 4096;
const HEADER_BYTES = 8192;
const cookieWith = (token: string) =>
  `__Host-access_token=${token}; Path=/; Secure; HttpOnly; SameSite=Lax`.length;
const headerWith = (token: string) => `Authorization: Bearer ${token}\r\n`.length;

/** One row for each algorithm, with the figures for each key spec. */
export function sizesTable(samples: readonly Sample[]): string {
  const rows = byAlgorithm(samples).map(([alg, ofAlgorithm]) => {
    const figures = (figure: (token: string) => string | number) =>
      [...new Set(ofAlgorithm.map(({ token }) => figure(token).toLocaleString('en-US')))].join(' / ');
    return [
      `\`${alg}\``,
      ofAlgorithm.map(({ keySpec }) => `\`${keySpec}\``).join(' / '),
      figures((token) => (token.split('.')[2] ?? '').length),
      figures((token) => token.length),
      figures((token) => (cookieWith(token) <= COOKIE_BYTES ? 'yes' : 'no')),
      figures((token) => HEADER_BYTES - headerWith(token)),
    ];
  });
  return markdownTable([['algorithm', 'key spec', 'signature', 'token', 'cookie', 'left of 8 KB'], ...rows]);
}

const LIBRARIES: Record<string, (sample: Sample) => unknown> = {
  jose: ({ token, keySet, alg }) =>
    jwtVerify(token, createLocalJWKSet(keySet), { issuer: ISSUER, audience: AUDIENCE, algorithms: [alg] }),
  jsonwebtoken: ({ token, keySet, alg }) =>
    jsonwebtoken.verify(token, pemOf(keySet), { algorithms: [alg as 'ES256'] }),
  'fast-jwt': ({ token, keySet, alg }) =>
    createVerifier({ key: pemOf(keySet), algorithms: [alg as 'ES256'] })(token) as unknown,
  'aws-jwt-verify': ({ token, keySet }) => {
    const verifier = JwtVerifier.create({
      issuer: ISSUER,
      audience: AUDIENCE,
      jwksUri: `${ISSUER}/jwks.json`,
    });
    verifier.cacheJwks(keySet as never);
    return verifier.verifySync(token);
  },
};

/** Which libraries accept a token of each algorithm, given only the key set. */
export async function librariesTable(samples: readonly Sample[]): Promise<string> {
  const names = Object.keys(LIBRARIES);
  const rows: string[][] = [];
  for (const [alg, [sample]] of byAlgorithm(samples)) {
    if (!sample || alg.startsWith('ML-DSA')) continue;
    const cells: string[] = [];
    for (const name of names) cells.push((await accepts(name, sample)) ? 'yes' : 'no');
    rows.push([`\`${alg}\``, ...cells]);
  }
  return markdownTable([['algorithm', ...names.map((name) => `\`${name}\``)], ...rows]);
}

async function accepts(library: string, sample: Sample): Promise<boolean> {
  try {
    await LIBRARIES[library]?.(sample);
    return true;
  } catch {
    return false;
  }
}

function byAlgorithm(samples: readonly Sample[]): [AlgorithmName, Sample[]][] {
  const names = [...new Set(samples.map(({ alg }) => alg))];
  return names.map((name) => [name, samples.filter(({ alg }) => alg === name)]);
}

function pemOf({ keys }: JsonWebKeySet): string {
  const key = createPublicKey({ key: { ...keys[0] } as never, format: 'jwk' });
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

import { createPublicKey, verify } from 'node:crypto';

/** The input of a verifier: the token, and the body of the key set response. */
export interface Presented {
  readonly token: string;
  readonly keySet: string;
}

type Json = Record<string, unknown>;

interface Read {
  readonly header: Json;
  readonly claims: Json;
  readonly keys: Json[];
  /** Whether the signature is valid by the key with the token's `kid`. */
  readonly isSigned: boolean;
}

/**
 * The rules for tokens and key sets of "Verify JWTs using an Application Load Balancer" (Elastic Load Balancing, User Guide).
 *
 * @returns the rules that are broken
 */
export function brokenRulesOfLoadBalancer(presented: Presented, issuer: string): string[] {
  const { header, claims, keys, isSigned } = read(presented);
  const now = Date.now() / 1000;
  return broken({
    'only RS256 is supported': header['alg'] === 'RS256',
    'the key set has at most 10 keys': keys.length <= 10,
    'the key set has at most 150 KB': Buffer.byteLength(presented.keySet) <= 150_000,
    'iss is required, and the one configured': claims['iss'] === issuer,
    'exp is required, and in the future': isNumber(claims['exp']) && claims['exp'] > now,
    'nbf is in the past, if present': isNoLaterThan(now, claims['nbf']),
    'iat is in the past, if present': isNoLaterThan(now, claims['iat']),
    'the signature is valid by the key set': isSigned,
  });
}

/**
 * The rules of "Control access to HTTP APIs with JWT authorizers" (API Gateway, Developer Guide).
 *
 * @param metadata of the issuer, which API Gateway fetches from `<issuer>/.well-known/openid-configuration`
 * @returns the rules that are broken
 */
export function brokenRulesOfApiGateway(
  presented: Presented,
  { metadata, issuer, audience, scope }: { metadata: Json; issuer: string; audience: string; scope: string },
): string[] {
  const { header, claims, isSigned } = read(presented);
  const now = Date.now() / 1000;
  const { scope: scopes = claims['scp'] } = claims;
  return broken({
    'the metadata names the key set': typeof metadata['jwks_uri'] === 'string',
    'only RSA-based algorithms are supported': ['RS256', 'RS384', 'RS512'].includes(header['alg'] as string),
    'kid is required, and that of a key': isSigned,
    'iss is the one configured': claims['iss'] === issuer && metadata['issuer'] === issuer,
    'aud, or client_id without aud, is the one configured': [claims['aud'] ?? claims['client_id']]
      .flat()
      .includes(audience),
    'exp is in the future': isNumber(claims['exp']) && claims['exp'] > now,
    'nbf is in the past, if present': isNoLaterThan(now, claims['nbf']),
    'iat is in the past, if present': isNoLaterThan(now, claims['iat']),
    'scope or scp has a scope of the route': typeof scopes === 'string' && scopes.split(' ').includes(scope),
  });
}

function read({ token, keySet }: Presented): Read {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const json = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json;
  const { keys } = JSON.parse(keySet) as { keys: Json[] };
  const key = keys.find(({ kid }) => kid === json(header)['kid']);
  const isSigned =
    key?.['kty'] === 'RSA' &&
    verify(
      'sha256',
      Buffer.from(`${header}.${payload}`),
      createPublicKey({ key: key as never, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    );
  return { header: json(header), claims: json(payload), keys, isSigned };
}

function broken(rules: Record<string, boolean>): string[] {
  return Object.keys(rules).filter((rule) => !rules[rule]);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function isNoLaterThan(now: number, time: unknown): boolean {
  return time === undefined || (isNumber(time) && time <= now);
}

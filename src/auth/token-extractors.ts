import { parseCookie } from 'cookie';
import { KmsJwtOptionsError, TokenAmbiguousError } from '../errors/errors.js';
import type { TokenCarrier, TokenExtractor } from '../options/kms-jwt.options.js';

const SCHEME = 'bearer ';

/**
 * Reads `Authorization: Bearer <token>` (RFC 6750, section 2.1); the scheme is compared case-insensitively
 * (RFC 9110, section 11.1). On WebSockets and gRPC it reads the same from the handshake and the metadata.
 *
 * @example
 * ```ts
 * KmsJwtModule.forRoot({ keyId, guard: { tokenFrom: fromAuthHeader() } });
 * ```
 */
export function fromAuthHeader(): TokenExtractor {
  return ({ headers }) => {
    const header = single(headers['authorization']);
    if (header?.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return undefined;
    let start = SCHEME.length;
    while (header[start] === ' ') start += 1;
    return header.slice(start) || undefined;
  };
}

/**
 * Reads a header that contains only the token.
 *
 * @param name the name of the header, compared case-insensitively
 *
 * @example
 * ```ts
 * KmsJwtModule.forRoot({ keyId, guard: { tokenFrom: fromHeader('x-access-token') } });
 * ```
 */
export function fromHeader(name: string): TokenExtractor {
  const key = name.toLowerCase();
  return ({ headers }) => single(headers[key]);
}

/**
 * Reads a cookie from the result of the app's cookie parser or, without one, from the header `Cookie` (RFC 6265, section 5.4).
 * A browser sends cookies with requests that other sites cause: protect routes that change state against CSRF (`SameSite`, or
 * a CSRF token).
 *
 * @param name the name of the cookie
 *
 * @example
 * ```ts
 * KmsJwtModule.forRoot({ keyId, guard: { tokenFrom: [fromAuthHeader(), fromCookie('access_token')] } });
 * ```
 */
export function fromCookie(name: string): TokenExtractor {
  const extract: TokenExtractor = ({ cookies, headers }) => {
    // Read even with a parser, which silently drops one of two cookies with the same name.
    const inHeader = single(valuesInCookieHeader(headers['cookie'], name));
    const token = single(memberOf(cookies, name)) ?? inHeader;
    if (token !== undefined) cookieTokens.set(headers, (cookieTokens.get(headers) ?? new Set()).add(token));
    return token;
  };
  cookieExtractors.add(extract);
  return extract;
}

const cookieExtractors = new WeakSet<TokenExtractor>();

/** Whether `fromCookie` made an extractor. */
export function readsCookies(extractor: TokenExtractor): boolean {
  return cookieExtractors.has(extractor);
}

/** The tokens that were found in cookies, by the headers they came with: an extractor of the app may call `fromCookie`. */
const cookieTokens = new WeakMap<TokenCarrier['headers'], Set<string>>();

/** Whether a token that `extractToken` returned was found by `fromCookie`. */
export function isFromCookie(carriers: readonly TokenCarrier[], token: string): boolean {
  return carriers.some(({ headers }) => cookieTokens.get(headers)?.has(token));
}

/**
 * Reads a parameter of the query string (RFC 6750, section 2.3). **Avoid it**: URLs, and the tokens in them, end up in logs,
 * browser histories and `Referer` headers. It is for clients that cannot set headers, such as EventSource.
 *
 * @param name the name of the parameter
 *
 * @example
 * ```ts
 * KmsJwtModule.forRoot({ keyId, guard: { tokenFrom: fromQuery('access_token') } });
 * ```
 */
export function fromQuery(name: string): TokenExtractor {
  return ({ query, url }) => single(query === undefined ? valuesInUrl(url, name) : memberOf(query, name));
}

/**
 * Reads a member of the body (RFC 6750, section 2.2); in a microservice, a member of the data of the message.
 *
 * @param name the name of the member
 *
 * @example
 * ```ts
 * KmsJwtModule.forRoot({ keyId, guard: { tokenFrom: [fromAuthHeader(), fromBody('access_token')] } });
 * ```
 */
export function fromBody(name: string): TokenExtractor {
  return ({ body }) => single(memberOf(body, name));
}

/** Each function that makes an extractor, and how it is called. */
const CALLS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [fromAuthHeader, 'fromAuthHeader()'],
  [fromHeader, "fromHeader('x-access-token')"],
  [fromCookie, "fromCookie('access_token')"],
  [fromQuery, "fromQuery('access_token')"],
  [fromBody, "fromBody('access_token')"],
]);

/** @throws KmsJwtOptionsError for one of the functions above instead of the extractor that it makes */
export function refuseUncalled(extractors: readonly TokenExtractor[] = []): void {
  const call = extractors.map((extractor) => CALLS.get(extractor)).find((one) => one !== undefined);
  if (call === undefined) return;
  const name = call.replace(/\(.*/, '');
  throw new KmsJwtOptionsError('guard.tokenFrom', `contains the function ${name} itself: call it: ${call}`);
}

/** @throws TokenAmbiguousError when more than one extractor finds a token, or one finds several, or a request repeats `Authorization` */
export function extractToken(
  carriers: readonly TokenCarrier[],
  extractors: readonly TokenExtractor[],
): string | undefined {
  let found: string | undefined;
  for (const carrier of carriers) {
    refuseRepeated(carrier);
    for (const extract of extractors) {
      const extracted: unknown = extract(carrier);
      // On another transport, a header may be an array, which an extractor written for HTTP may return.
      if (Array.isArray(extracted)) for (const one of extracted) found = theOnly(found, one);
      else found = theOnly(found, extracted);
    }
  }
  return found;
}

function theOnly(found: string | undefined, extracted: unknown): string | undefined {
  if (extracted === undefined || extracted === null || extracted === '') return found;
  if (found !== undefined) throw new TokenAmbiguousError();
  if (typeof extracted === 'function') {
    // Otherwise every token would be refused as malformed.
    const problem = 'contains a function that returns an extractor: call it, as in fromAuthHeader()';
    throw new KmsJwtOptionsError('guard.tokenFrom', problem);
  }
  // A value of another type is refused later, as a malformed token.
  return extracted as string;
}

const AUTHORIZATION = 'authorization';

/** Node keeps the first of two `Authorization` lines and drops the other, which a proxy may have checked. */
function refuseRepeated(
  request: TokenCarrier & { rawHeaders?: string[]; raw?: { rawHeaders?: string[] } },
): void {
  const lines = request.rawHeaders ?? request.raw?.rawHeaders;
  if (!lines) return;
  let count = 0;
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index];
    if (name?.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) count += 1;
  }
  if (count > 1) throw new TokenAmbiguousError();
}

function single(value: unknown): string | undefined {
  if (Array.isArray(value) && value.length > 1) throw new TokenAmbiguousError();
  const lone: unknown = Array.isArray(value) ? value[0] : value;
  return typeof lone === 'string' && lone !== '' ? lone : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

// For a query string that was not parsed, such as that of a WebSocket's handshake.
function valuesInUrl(url: string | undefined, name: string): string[] {
  const start = url?.indexOf('?') ?? -1;
  return start === -1 ? [] : new URLSearchParams(url?.slice(start)).getAll(name);
}

function valuesInCookieHeader(header: string | string[] | undefined, name: string): unknown[] {
  const pairs = [header ?? []].flat().flatMap((line) => line.split(';'));
  return pairs.map((pair) => memberOf(parseCookie(pair), name)).filter((value) => value !== undefined);
}

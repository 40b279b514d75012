/** The part of a request that a token can be read from: Express's, Fastify's and Node's have it alike. */
export interface TokenCarrier {
  headers: Record<string, string | string[] | undefined>;
}

/** Finds the token of a request: `null` or `undefined` where there is none. */
export type TokenExtractor = (request: TokenCarrier) => string | null | undefined;

const SCHEME = 'bearer ';

/**
 * Reads `Authorization: Bearer <token>` (RFC 6750, section 2.1); the scheme is told without case (RFC 9110,
 * section 11.1).
 *
 * @example
 * const token = fromAuthHeader()(request);
 */
export function fromAuthHeader(): TokenExtractor {
  return ({ headers }) => {
    const header = headers['authorization'];
    if (typeof header !== 'string' || header.slice(0, SCHEME.length).toLowerCase() !== SCHEME)
      return undefined;
    return header.slice(SCHEME.length).trim() || undefined;
  };
}

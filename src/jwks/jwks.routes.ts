import { createHash } from 'node:crypto';
import type { HttpAdapterHost } from '@nestjs/core';
import { KmsJwtError, KmsJwtOptionsError } from '../errors/errors.js';
import { nameOf } from '../errors/redacted-cause.js';
import type { Log } from '../events/log.js';
import type { JsonWebKeySet } from '../jwt/jwk.js';
import { JWKS_MAX_AGE_SECONDS, JWKS_STALE_WHILE_REVALIDATE_SECONDS } from '../options/defaults.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/** The extras of the module that the routes need. */
export interface JwksRouteOptions {
  jwksPath: string;
  discovery: boolean;
}

/** The injection token of the routes. */
export const JWKS_ROUTES = 'KMS_JWT_JWKS_ROUTES';

interface Request {
  headers: Record<string, string | string[] | undefined>;
}

const HEADERS = { 'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*' };
const CACHED = {
  'Cache-Control': `public, max-age=${JWKS_MAX_AGE_SECONDS}, stale-while-revalidate=${JWKS_STALE_WHILE_REVALIDATE_SECONDS}`,
};
const NOT_CACHED = { 'Cache-Control': 'no-store' };

/**
 * An Application Load Balancer that verifies tokens accepts a key set of at most 10 keys and 150 KB. The number decides: ten keys
 * have at most 51 KB. The longest JWK is that of ML-DSA-87, whose `pub` has 3,456 characters (an RSA key of 16,384 bits, the
 * longest that is accepted, has 2,731 in `n`); a `kid` of 256 characters has 1,536 bytes, if JSON escapes each.
 */
const MAX_KEYS = 10;

/**
 * The key set over HTTP, and the discovery documents with its URL (OpenID Connect Discovery 1.0, RFC 8414). The routes are
 * registered with the HTTP adapter directly, so that global prefixes and global guards do not apply to them.
 */
export class JwksRoutes {
  private readonly path: string;
  private hasWarned = false;

  /** @throws KmsJwtOptionsError if there is no issuer URL for `discovery`, even in an app without an HTTP server */
  constructor(
    private readonly options: JwksRouteOptions,
    private readonly jwt: KmsJwtService,
    private readonly adapterHost: HttpAdapterHost,
    private readonly log: Log,
  ) {
    this.path = `/${options.jwksPath.replace(/^\//, '')}`;
    if (options.discovery) this.metadata();
  }

  /** Registers the routes. To be called before the app registers its own, one of which may match every path. */
  mount(): void {
    this.mountAt(this.path, () => this.keySet());
    if (!this.options.discovery) return;
    for (const path of discoveryPaths(this.jwt.settings.sign.issuer))
      this.mountAt(path, async () => this.metadata());
  }

  private async keySet(): Promise<JsonWebKeySet> {
    const keySet = await this.jwt.jwks();
    const { length } = keySet.keys;
    if (length > MAX_KEYS && !this.hasWarned) {
      this.hasWarned = true;
      const kilobytes = Math.ceil(Buffer.byteLength(JSON.stringify(keySet)) / 1000);
      this.log.warn(
        `The key set at ${this.path} has ${length} keys and ${kilobytes} KB: an Application Load Balancer that verifies tokens with it accepts at most ${MAX_KEYS} keys and 150 KB, and otherwise refuses every request. Remove keys from rotation.verificationKeys, or wait until the keys of past rotations have retired`,
      );
    }
    return keySet;
  }

  private mountAt(path: string, document: () => Promise<object>): void {
    this.adapterHost.httpAdapter.get(path, (request: Request, response: unknown) => {
      void this.answer(path, request, response, document);
    });
  }

  private async answer(
    path: string,
    request: Request,
    response: unknown,
    document: () => Promise<object>,
  ): Promise<void> {
    try {
      const body = JSON.stringify(await document());
      // The key set may lack a key that other instances already sign with: no cache should keep it.
      if (this.jwt.health().stale) return this.reply(response, 200, body, { ...HEADERS, ...NOT_CACHED });
      const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
      const isKnown = isAmong(etag, request.headers['if-none-match']);
      this.reply(response, isKnown ? 304 : 200, isKnown ? '' : body, { ...HEADERS, ...CACHED, ETag: etag });
    } catch (error) {
      // No token or claim is involved here, so the message of a foreign error cannot quote one.
      const reason =
        error instanceof Error ? `${nameOf(error)}: ${error.message}` : `a thrown ${typeof error}`;
      this.log.error(`Could not serve ${path}: ${reason}`);
      this.replyWithError(response, error);
    }
  }

  /** 503 while KMS or the issuer is unavailable or refuses the call, 500 for a mistake in the program. */
  private replyWithError(response: unknown, error: unknown): void {
    const isOutage = error instanceof KmsJwtError && !(error instanceof KmsJwtOptionsError);
    const [statusCode, message] = isOutage ? [503, 'Service Unavailable'] : [500, 'Internal Server Error'];
    const errorCode = error instanceof KmsJwtError ? error.code : 'internal_error';
    const body = JSON.stringify({ statusCode, message, error: message, errorCode });
    const retry = isOutage && { 'Retry-After': '1' };
    this.reply(response, statusCode, body, { ...HEADERS, ...NOT_CACHED, ...retry });
  }

  private reply(response: unknown, status: number, body: string, headers: Record<string, string>): void {
    const { httpAdapter } = this.adapterHost;
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, body, status);
  }

  private metadata(): object {
    const { sign, algorithms } = this.jwt.settings;
    const { issuer } = sign;
    if (issuer === undefined || !isWebUrl(issuer)) {
      throw new KmsJwtOptionsError('discovery', 'needs signOptions.issuer to be an http or https URL');
    }
    return {
      issuer,
      jwks_uri: new URL(this.path, issuer).href,
      response_types_supported: ['token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: algorithms.map(({ alg }) => alg),
    };
  }
}

// The parser accepts a URN too, but nothing can be relative to it.
function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3.1: the path of the issuer comes first or last. */
function discoveryPaths(issuer: string | undefined): string[] {
  const own = issuer === undefined || !isWebUrl(issuer) ? '' : new URL(issuer).pathname.replace(/\/$/, '');
  return [`${own}/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server${own}`];
}

/** RFC 9110, section 13.1.2: weak and strong tags compare as equal. */
function isAmong(etag: string, header: string | string[] | undefined): boolean {
  const given = [header ?? []].flat().join(',').split(',');
  return given.some((entry) => ['*', etag, `W/${etag}`].includes(entry.trim()));
}

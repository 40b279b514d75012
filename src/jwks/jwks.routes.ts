import { createHash } from 'node:crypto';
import type { OnModuleInit } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { KmsJwtError, KmsJwtOptionsError } from '../errors/errors.js';
import { ALGORITHMS } from '../jwt/algorithms.js';
import { JWKS_MAX_AGE, JWKS_STALE_WHILE_REVALIDATE } from '../options/kms-jwt.options.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/** What the key set's routes have to know of the module's extras. */
export interface JwksRouteOptions {
  jwksPath: string;
  discovery: boolean;
}

/** Where Nest finds the routes of one instance. */
export const JWKS_ROUTES = 'KMS_JWT_JWKS_ROUTES';

interface Request {
  headers: Record<string, string | string[] | undefined>;
}

const HEADERS = {
  'Content-Type': 'application/json',
  'Cache-Control': `public, max-age=${JWKS_MAX_AGE}, stale-while-revalidate=${JWKS_STALE_WHILE_REVALIDATE}`,
  'Access-Control-Allow-Origin': '*',
};

/**
 * The key set over HTTP, and the documents that say where it is (OpenID Connect Discovery 1.0, RFC 8414). The routes are
 * registered at the server itself: neither a global prefix nor a global guard is in their way.
 */
export class JwksRoutes implements OnModuleInit {
  private readonly path: string;

  constructor(
    private readonly options: JwksRouteOptions,
    private readonly jwt: KmsJwtService,
    private readonly adapterHost: HttpAdapterHost,
  ) {
    this.path = `/${options.jwksPath.replace(/^\//, '')}`;
  }

  /** An app without a server, such as a microservice, is told of what is wrong too. */
  onModuleInit(): void {
    if (this.options.discovery) this.metadata();
  }

  /** Before the app's own routes, where there is a server. */
  mount(): void {
    this.mountAt(this.path, () => this.jwt.jwks());
    if (!this.options.discovery) return;
    for (const path of discoveryPaths(this.jwt.issuer)) this.mountAt(path, async () => this.metadata());
  }

  private mountAt(path: string, document: () => Promise<object>): void {
    this.adapterHost.httpAdapter.get(path, (request: Request, response: unknown) => {
      void this.answer(request, response, document);
    });
  }

  private async answer(request: Request, response: unknown, document: () => Promise<object>): Promise<void> {
    try {
      const body = JSON.stringify(await document());
      const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
      const isKnown = isAmong(etag, request.headers['if-none-match']);
      this.reply(response, isKnown ? 304 : 200, isKnown ? '' : body, { ...HEADERS, ETag: etag });
    } catch (error) {
      const errorCode = error instanceof KmsJwtError ? error.code : undefined;
      const body = JSON.stringify({ statusCode: 503, message: 'Service Unavailable', errorCode });
      this.reply(response, 503, body, { ...HEADERS, 'Cache-Control': 'no-store', 'Retry-After': '1' });
    }
  }

  private reply(response: unknown, status: number, body: string, headers: Record<string, string>): void {
    const { httpAdapter } = this.adapterHost;
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, body, status);
  }

  private metadata(): object {
    const { issuer } = this.jwt;
    if (issuer === undefined || !isWebUrl(issuer)) {
      throw new KmsJwtOptionsError(
        'discovery',
        'needs signOptions.issuer, and that to be a URL of http or https',
      );
    }
    const algorithms = ALGORITHMS.map(({ alg }) => alg);
    return {
      issuer,
      jwks_uri: new URL(this.path, issuer).href,
      response_types_supported: ['token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: algorithms,
    };
  }
}

// A URN is a URL to the parser, but nothing can be relative to it.
function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** OpenID Connect Discovery 1.0, section 4, and RFC 8414, section 3.1: the issuer's own path goes before, or behind. */
function discoveryPaths(issuer: string | undefined): string[] {
  const own = issuer === undefined || !isWebUrl(issuer) ? '' : new URL(issuer).pathname.replace(/\/$/, '');
  return [`${own}/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server${own}`];
}

/** RFC 9110, section 13.1.2: told without regard to weakness. */
function isAmong(etag: string, header: string | string[] | undefined): boolean {
  const given = [header ?? []].flat().join(',').split(',');
  return given.some((entry) => ['*', etag, `W/${etag}`].includes(entry.trim()));
}

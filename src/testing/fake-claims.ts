import type { ExecutionContext, Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { KmsJwtGuard } from '../auth/kms-jwt.guard.js';
import { checkAuthenticated } from '../auth/verified-token.js';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { DEFAULT_NAME, Log } from '../events/log.js';
import type { JwtClaims } from '../jwt/claims.js';
import { DEFAULT_GUARD } from '../options/defaults.js';
import { OWN_ISSUER } from '../options/read-issuers.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/** How `fakeClaims` stands in for the guard of the app. */
export interface FakeClaimsOptions {
  /** The class of the guard that it replaces, such as that of `KmsJwtGuard.named('internal')`. Default: `KmsJwtGuard`. */
  guard?: Type<KmsJwtGuard>;
  /** The name that `@TokenIssuer()` gives. Default: `'own'`. */
  issuer?: string;
  /** The property of the request, as the module's `guard.property`. Default: `'user'`. */
  property?: string;
}

/** The time that a connection may wait for its claims, in milliseconds. */
const VERDICT_TIMEOUT_MS = 15_000;

/**
 * A guard for tests, which looks at no token: each call has these claims. It records them as `KmsJwtGuard` does on every transport, for
 * `@Claims()`, `claimsOf(context)` and `request.user`, and has its methods for gateways and resolvers. It follows `@Public()`, without claims, and
 * `@Scopes()`, by the scopes in the claims. Options of `@VerifyWith()` and `@Issuers()` have no effect.
 *
 * Nest overrides a class in one of two ways: `overrideProvider` replaces a guard that is injected, and an APP_GUARD with `useExisting`;
 * `overrideGuard` replaces one that `@UseGuards()` names. The second call for a class replaces the first.
 *
 * @param claims are copied for each call: a test may change them between two
 * A line of the log warns of it, unless `NODE_ENV` is `test`, as Vitest and Jest set it.
 *
 * @throws KmsJwtOptionsError for claims that are no plain object, and if `NODE_ENV` is `production` or `prod`, in any case
 *
 * @example
 * ```ts
 * const module = await Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(KmsJwtGuard)
 *   .useValue(fakeClaims({ sub: 'user-42', scope: 'orders:read' }))
 *   .compile();
 * ```
 */
export function fakeClaims(claims: JwtClaims, options: FakeClaimsOptions = {}): KmsJwtGuard {
  if (/^prod(uction)?$/i.test(process.env['NODE_ENV']?.trim() ?? '')) {
    throw new KmsJwtOptionsError('fakeClaims', 'is for tests only: NODE_ENV is production');
  }
  const guard = new FakeClaimsGuard(checkAuthenticated(claims), options);
  if (process.env['NODE_ENV'] !== 'test') {
    new Log(DEFAULT_NAME).warn('fakeClaims is in use, and NODE_ENV is not test: calls need no token');
  }
  return guard;
}

class FakeClaimsGuard extends KmsJwtGuard {
  constructor(
    private readonly claims: JwtClaims,
    { guard = KmsJwtGuard, issuer = OWN_ISSUER, property = DEFAULT_GUARD.property }: FakeClaimsOptions,
  ) {
    super(serviceOf(claims, issuer, property), new Reflector());
    // Decorators count by where the class of the guard stands: see `levelOf` in auth/access.ts.
    Object.defineProperty(this, 'constructor', { value: guard });
  }

  protected override getToken(): string {
    return 'fake';
  }

  protected override async authenticate(_token: string, _context: ExecutionContext): Promise<JwtClaims> {
    return { ...this.claims };
  }
}

/** What the guard asks the service besides the claims. */
function serviceOf(claims: JwtClaims, issuer: string, property: string): KmsJwtService {
  const service: Partial<KmsJwtService> = {
    guardSettings: {
      ...DEFAULT_GUARD,
      property,
      tokenFrom: undefined,
      recheckInterval: undefined,
      allowedOrigins: undefined,
    },
    verdictTimeout: VERDICT_TIMEOUT_MS,
    log: new Log(DEFAULT_NAME),
    hasIssuers: true,
    sourceOf: async () => ({ name: issuer }) as Awaited<ReturnType<KmsJwtService['sourceOf']>>,
    decode: (() => ({ ...claims })) as unknown as KmsJwtService['decode'],
    // No connection ends: the claims have no token that expires.
    watch: () => () => {},
    expiryOf: () => Infinity,
  };
  return service as KmsJwtService;
}

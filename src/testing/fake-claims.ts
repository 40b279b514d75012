import type { ExecutionContext, Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { KmsJwtGuard } from '../auth/kms-jwt.guard.js';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { DEFAULT_NAME, Log } from '../events/log.js';
import type { JwtClaims } from '../jwt/claims.js';
import { isPlainObject } from '../jwt/json.js';
import { DEFAULT_GUARD } from '../options/defaults.js';
import { OWN_ISSUER } from '../options/read-issuers.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';
import type { TrustSource } from '../service/trust-sources.js';
import { refuseInProduction, warnOutsideTests } from './tests-only.js';

/** Options of `fakeClaims`. */
export interface FakeClaimsOptions {
  /** The class of the guard that it replaces, such as that of `KmsJwtGuard.named('internal')`. Default: `KmsJwtGuard`. */
  guard?: Type<KmsJwtGuard>;
  /** The name of the issuer, for `@TokenIssuer()` and `@Issuers()`. Default: `'own'`. */
  issuer?: string;
  /** The property of the request that gets the claims, as in the module's `guard.property`. Default: `'user'`. */
  property?: string;
}

/** The time that a connection may wait for its claims, in milliseconds. */
const VERDICT_TIMEOUT_MS = 15_000;

/**
 * A guard for tests that ignores tokens: every call has these claims. Like `KmsJwtGuard`, it records them on every transport, for
 * `@Claims()`, `claimsOf(context)` and `request.user`, and has methods for gateways and resolvers. `@Public()` works as usual,
 * and such a call has no claims; `@Scopes()` uses the scopes in the claims; `@Issuers()` and `@VerifyWith({ issuers })` use the
 * option `issuer`. The other options of `@VerifyWith()` have no effect.
 *
 * Nest has two ways to override a class: `overrideProvider` replaces a guard that is injected, and an APP_GUARD with `useExisting`;
 * `overrideGuard` replaces one in `@UseGuards()`. For one class, the second call replaces the first.
 *
 * A warning is logged unless `NODE_ENV` is `test`, as Vitest and Jest set it.
 *
 * @param claims copied for each call: a test may change them between two calls
 * @throws KmsJwtOptionsError for claims that are not a plain object, and if `NODE_ENV` is `production` or `prod`, in upper or lower
 * case
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
  refuseInProduction('fakeClaims');
  if (!isPlainObject(claims))
    throw new KmsJwtOptionsError('fakeClaims', 'needs the claims as a plain object');
  warnOutsideTests('fakeClaims', 'calls need no token');
  return new FakeClaimsGuard(claims, options);
}

class FakeClaimsGuard extends KmsJwtGuard {
  private readonly source: TrustSource;

  constructor(
    private readonly claims: JwtClaims,
    { guard = KmsJwtGuard, issuer = OWN_ISSUER, property = DEFAULT_GUARD.property }: FakeClaimsOptions,
  ) {
    super(serviceOf(claims, property), new Reflector());
    this.source = { name: issuer } as TrustSource;
    // Which decorators count depends on where the class of the guard stands: see `levelOf` in auth/access.ts.
    Object.defineProperty(this, 'constructor', { value: guard });
  }

  protected override getToken(): string {
    return 'fake';
  }

  protected override async authenticate(token: string, context: ExecutionContext): Promise<JwtClaims> {
    // The app may set NODE_ENV after it has called `fakeClaims`.
    refuseInProduction('fakeClaims');
    const claims = { ...this.claims };
    this['tokens'].add(context, token, { payload: claims, claims, source: this.source });
    return claims;
  }
}

/** What the guard needs from the service besides the claims. */
function serviceOf(claims: JwtClaims, property: string): KmsJwtService {
  const accepted: Pick<KmsJwtService['accepted'], 'unlessEnded' | 'watch' | 'expiryOf'> = {
    unlessEnded: (source) => source,
    // No connection ends: the claims have no token that expires.
    watch: () => () => {},
    expiryOf: () => Infinity,
  };
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
    accepted: accepted as KmsJwtService['accepted'],
    decode: (() => ({ ...claims })) as unknown as KmsJwtService['decode'],
  };
  return service as KmsJwtService;
}

import { Injectable, type Type } from '@nestjs/common';
import { InjectKmsJwt } from '../service/inject-kms-jwt.js';
import type { KmsJwtHealth } from '../service/kms-jwt-health.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/** The result of the health indicator, in the form that `@nestjs/terminus` expects. */
export type KmsJwtHealthResult<Key extends string> = Record<
  Key,
  {
    /** `up` while tokens can be verified. */
    status: 'up' | 'down';
    /** Whether something is wrong: `stale`, no key that may sign, an open circuit of Sign or Verify, or an issuer with stale or no keys. */
    degraded: boolean;
  } & KmsJwtHealth
>;

/**
 * Reports to `@nestjs/terminus` whether tokens can be verified. The status is `up` as long as there are keys, even if they could
 * not be refreshed or KMS is unavailable: the last known keys still verify, and an outage of KMS should not take all instances
 * out of service. `degraded` is true while the keys are stale, no key may sign, a circuit is open, or a listed issuer has stale
 * or no keys. The status is `down` only if no key, the module's own or that of a listed issuer, can verify: there is none, or its
 * key set is older than `rotation.maxStale`. It makes no call to KMS. Issuers that a function `issuers` finds do not count, and
 * are not in the result; a service without other keys is `up`. See docs/operations.md.
 *
 * @example
 * ```ts
 * @Controller('health')
 * export class HealthController {
 *   constructor(
 *     private readonly health: HealthCheckService,
 *     private readonly kmsJwt: KmsJwtHealthIndicator,
 *   ) {}
 *
 *   @Get()
 *   @HealthCheck()
 *   check() {
 *     return this.health.check([() => this.kmsJwt.isHealthy()]);
 *   }
 * }
 * ```
 */
@Injectable()
export class KmsJwtHealthIndicator {
  /** @internal Created by Nest. */
  constructor(@InjectKmsJwt() private readonly jwt: KmsJwtService) {}

  /**
   * The health indicator of a registration with a name, as a class to provide and inject.
   *
   * @param name the `name` of the registration in `forRoot`
   *
   * @example
   * ```ts
   * export const InternalHealthIndicator = KmsJwtHealthIndicator.named('internal');
   *
   * @Module({ imports: [TerminusModule], providers: [InternalHealthIndicator] })
   * export class HealthModule {
   *   constructor(@Inject(InternalHealthIndicator) private readonly internal: KmsJwtHealthIndicator) {}
   * }
   * ```
   */
  static named(name: string): Type<KmsJwtHealthIndicator> {
    @Injectable()
    class NamedKmsJwtHealthIndicator extends KmsJwtHealthIndicator {
      constructor(@InjectKmsJwt(name) jwt: KmsJwtService) {
        super(jwt);
      }
    }
    return NamedKmsJwtHealthIndicator;
  }

  /**
   * The entry for the health report.
   *
   * @param key the name of the entry. Default: `'kms-jwt'`
   */
  isHealthy<Key extends string = 'kms-jwt'>(key: Key = 'kms-jwt' as Key): KmsJwtHealthResult<Key> {
    const { issuers, issuersAreFound, ...health } = this.jwt.health();
    // The issuers that a function finds depend on the tokens that came: they say nothing about this process, and may be many.
    const others = Object.values((!issuersAreFound && issuers) || {});
    const awaitsTokens = issuersAreFound && health.keys.length === 0;
    const status = awaitsTokens || [health, ...others].some(canVerify) ? 'up' : 'down';
    const cannotSign = health.circuit !== undefined && health.signing === undefined;
    const isIssuerDown = others.some((issuer) => issuer.stale || !canVerify(issuer));
    const isOpen = [health.circuit, health.verifyCircuit].includes('open');
    const degraded = health.stale || isOpen || cannotSign || isIssuerDown;
    const listed = issuers && !issuersAreFound && { issuers };
    return { [key]: { status, degraded, ...health, ...listed } } as KmsJwtHealthResult<Key>;
  }
}

function canVerify({ keys, staleIn }: Pick<KmsJwtHealth, 'keys' | 'staleIn'>): boolean {
  return keys.length > 0 && staleIn !== 0;
}

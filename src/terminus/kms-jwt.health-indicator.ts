import { Injectable, type Type } from '@nestjs/common';
import { InjectKmsJwt } from '../service/inject-kms-jwt.js';
import type { KmsJwtHealth, KmsJwtService } from '../service/kms-jwt.service.js';

/** The result of the health indicator, in the form that @nestjs/terminus expects. */
export type KmsJwtHealthResult<Key extends string> = Record<Key, { status: 'up' | 'down' } & KmsJwtHealth>;

/**
 * Reports to @nestjs/terminus whether tokens can be verified. The status is `up` as long as there are keys, even if they could
 * not be refreshed or KMS is unavailable, as the last known keys still verify: see `refresh`, `staleIn` and `circuit` in the
 * result. It is `down` without keys, and while the key set of `jwksUri` is older than `rotation.maxStale`. It makes no call
 * to KMS.
 *
 * @example
 * constructor(private readonly health: HealthCheckService, private readonly kmsJwt: KmsJwtHealthIndicator) {}
 * \@Get() \@HealthCheck() check() { return this.health.check([() => this.kmsJwt.isHealthy()]); }
 */
@Injectable()
export class KmsJwtHealthIndicator {
  constructor(@InjectKmsJwt() private readonly jwt: KmsJwtService) {}

  /**
   * The health indicator of a named instance, as a class to provide and inject.
   *
   * @param name the `name` that the instance was given with `forRoot`
   *
   * @example
   * export const InternalHealthIndicator = KmsJwtHealthIndicator.named('internal');
   * // providers: [InternalHealthIndicator]
   * constructor(\@Inject(InternalHealthIndicator) private readonly internal: KmsJwtHealthIndicator) {}
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

  /** @param key the name of the entry in the health report; default: `'kms-jwt'` */
  isHealthy<Key extends string = 'kms-jwt'>(key: Key = 'kms-jwt' as Key): KmsJwtHealthResult<Key> {
    const health = this.jwt.health();
    const status = health.keys.length > 0 && health.staleIn !== 0 ? 'up' : 'down';
    return { [key]: { status, ...health } } as KmsJwtHealthResult<Key>;
  }
}

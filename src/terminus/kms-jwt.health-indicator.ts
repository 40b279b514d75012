import { Injectable } from '@nestjs/common';
import type { KmsJwtHealth, KmsJwtService } from '../service/kms-jwt.service.js';
import { InjectKmsJwt } from '../service/inject-kms-jwt.js';

/** What a health indicator of @nestjs/terminus answers. */
export type KmsJwtHealthResult<Key extends string> = Record<Key, { status: 'up' | 'down' } & KmsJwtHealth>;

/**
 * Tells @nestjs/terminus whether tokens can be verified: `up` as long as there are keys, also where they could not be
 * refreshed lately or KMS is away, as the last ones go on verifying; `refresh` and `circuit` say so. No call is made for it.
 *
 * @example
 * constructor(private readonly health: HealthCheckService, private readonly kmsJwt: KmsJwtHealthIndicator) {}
 * \@Get() \@HealthCheck() check() { return this.health.check([() => this.kmsJwt.isHealthy('kms-jwt')]); }
 */
@Injectable()
export class KmsJwtHealthIndicator {
  constructor(@InjectKmsJwt() private readonly jwt: KmsJwtService) {}

  /** @param key what the answer is called in the report */
  isHealthy<Key extends string = 'kms-jwt'>(key: Key = 'kms-jwt' as Key): KmsJwtHealthResult<Key> {
    const health = this.jwt.health();
    const status = health.keys.length > 0 ? 'up' : 'down';
    return { [key]: { status, ...health } } as KmsJwtHealthResult<Key>;
  }
}

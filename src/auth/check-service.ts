import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/**
 * A test may replace the service by a mock, which has the methods that the app calls and not what the guard reads. An object
 * that returns a function for every property is a mock too.
 *
 * @throws KmsJwtOptionsError for a mock
 */
export function checkService({ guardSettings }: Partial<KmsJwtService>): void {
  if (typeof guardSettings?.property === 'string') return;
  throw new KmsJwtOptionsError(
    'KmsJwtService',
    'is a mock, and a KmsJwtGuard needs the real one: override the guard with fakeClaims(), or the options with createKmsJwtTesting(), both from nestjs-kms-jwt/testing',
  );
}

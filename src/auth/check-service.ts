import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/**
 * Whether a service is none that a test has put there: a mock has the methods that the app calls and not what the guard reads. An
 * object that returns a function for every property is a mock too.
 */
export function isRealService({ guardSettings }: Partial<KmsJwtService>): boolean {
  return typeof guardSettings?.property === 'string';
}

/** @throws KmsJwtOptionsError for a mock */
export function checkService(service: KmsJwtService): void {
  if (isRealService(service)) return;
  throw new KmsJwtOptionsError(
    'KmsJwtService',
    'is a mock, and a KmsJwtGuard needs the real one: override the guard with fakeClaims(), or the options with createKmsJwtTesting(), both from nestjs-kms-jwt/testing',
  );
}

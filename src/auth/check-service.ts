import { KmsJwtOptionsError } from '../errors/errors.js';
import type { KmsJwtService } from '../service/kms-jwt.service.js';

/**
 * Whether a service is not a mock from a test: a mock has the methods that the app calls, but not the settings that the guard
 * reads. The setting must be a string, because some mocks return a function for every property.
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

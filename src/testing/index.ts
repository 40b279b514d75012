/**
 * For the tests of an app: calls with claims and without tokens, and real tokens without AWS, with a clock that the test sets.
 *
 * @module nestjs-kms-jwt/testing
 */

export { fakeClaims, type FakeClaimsOptions } from './fake-claims.js';
export {
  createKmsJwtTesting,
  type KmsJwtTesting,
  type KmsJwtTestingOptions,
  type ModuleBuilder,
} from './kms-jwt-testing.js';
export type { TestClock } from './test-clock.js';

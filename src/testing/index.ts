export { fakeClaims, type FakeClaimsOptions } from './fake-claims.js';
export {
  createKmsJwtTesting,
  type KmsJwtTesting,
  type KmsJwtTestingOptions,
  type ModuleBuilder,
} from './kms-jwt-testing.js';
export type { TestClock } from './test-clock.js';

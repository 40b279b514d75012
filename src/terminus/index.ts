/**
 * A health indicator for `@nestjs/terminus`.
 *
 * @module nestjs-kms-jwt/terminus
 */

export { KmsJwtHealthIndicator, type KmsJwtHealthResult } from './kms-jwt.health-indicator.js';

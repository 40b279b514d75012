export { KmsJwtHealthIndicator, type KmsJwtHealthResult } from './kms-jwt.health-indicator.js';

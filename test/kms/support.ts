import { createHash } from 'node:crypto';
import { ES256 } from '../../src/jwt/algorithms.js';
import type { KmsSignRequest } from '../../src/kms/kms-gateway.js';
import type { GatewayLimits } from '../../src/kms/single-region-gateway.js';

export const LIMITS: GatewayLimits = { timeout: 3000, maxConcurrency: 50, maxQueue: 1000 };

export const request: KmsSignRequest = {
  keyId: 'alias/auth',
  algorithm: ES256,
  messageType: 'DIGEST',
  message: createHash('sha256').update('input').digest(),
};

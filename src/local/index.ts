/**
 * LocalKms: AWS KMS in the process of a test, or as a local server, for development.
 *
 * @module nestjs-kms-jwt/local
 */

// Imports within this folder run downwards only: http > faults > operations > store.

export { LocalKms } from './local-kms.js';
export type { LocalKmsKey } from './local-kms.js';
export type { LocalKmsFault, LocalKmsInjectedFault } from './faults/faults.js';
export type { LocalKmsKeySpec, LocalKmsKeyUsage } from './store/key-specs.js';
export type { LocalKmsKeyState } from './store/key-store.js';
export type { LocalKmsOperation } from './operations/operations.js';
export type { LocalKmsKeyOptions, LocalKmsOptions } from './options.js';
export type { LocalKmsServer } from './http/server.js';

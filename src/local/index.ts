export { LocalKms } from './local-kms.js';
export type { LocalKmsKey } from './local-kms.js';
export type { LocalKmsFault, LocalKmsInjectedFault } from './faults.js';
export type { LocalKmsKeySpec, LocalKmsKeyUsage } from './key-specs.js';
export type { LocalKmsKeyState } from './key-store.js';
export type { LocalKmsOperation } from './operations.js';
export type { LocalKmsKeyOptions, LocalKmsOptions } from './options.js';
export type { LocalKmsServer } from './server.js';

import { KmsJwtOptionsError } from '../errors/errors.js';
import { DEFAULT_NAME, Log } from '../events/log.js';

/** @throws KmsJwtOptionsError if `NODE_ENV` is `production` or `prod`, in upper or lower case */
export function refuseInProduction(name: string): void {
  if (/^prod(uction)?$/i.test(process.env['NODE_ENV']?.trim() ?? '')) {
    throw new KmsJwtOptionsError(name, 'is for tests only: NODE_ENV is production');
  }
}

/** Logs a warning unless `NODE_ENV` is `test`, as Vitest and Jest set it. */
export function warnOutsideTests(name: string, consequence: string): void {
  if (process.env['NODE_ENV'] === 'test') return;
  new Log(DEFAULT_NAME).warn(`${name} is in use, and NODE_ENV is not test: ${consequence}`);
}

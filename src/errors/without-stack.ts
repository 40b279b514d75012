import { KmsJwtError } from './kms-jwt-error.js';

/**
 * Removes the frames of the stack of an error at start: all of them are of Nest and this library, and they would hide its message in
 * the log.
 */
export function withoutStack<Thrown>(error: Thrown): Thrown {
  if (error instanceof KmsJwtError) error.stack = `${error.name}: ${error.message}`;
  return error;
}

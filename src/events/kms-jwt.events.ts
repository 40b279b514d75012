import type { KmsSignatureError } from '../errors/errors.js';

/** What happens to the keys of a service, and to its calls of KMS, for `KmsJwtService.events`. */
export type KmsJwtEvent =
  /** A key verifies from now on, and is in the key set. */
  | { readonly type: 'key_published'; readonly kid: string }
  /** A key signs from now on. */
  | { readonly type: 'key_activated'; readonly kid: string }
  /** A key neither verifies nor is in the key set any more. */
  | { readonly type: 'key_removed'; readonly kid: string }
  /** The keys could not be fetched; the last ones stay. */
  | { readonly type: 'refresh_failed'; readonly error: Error }
  /** The `rotation.store` could not be read or written. */
  | { readonly type: 'store_failed'; readonly error: Error }
  /** The keys could be fetched again. */
  | { readonly type: 'refresh_recovered' }
  /** What KMS returned is not a signature of the token by this key: the token was withheld. */
  | { readonly type: 'signature_refused'; readonly error: KmsSignatureError }
  /**
   * KMS does not answer any more: calls are refused at once, but for one at a time that tries. The error is the last call's.
   * Where there are several `regions`, it is the one that is named, and the others go on.
   */
  | { readonly type: 'circuit_opened'; readonly error: Error; readonly region?: string }
  /** KMS answers again. */
  | { readonly type: 'circuit_closed'; readonly region?: string };

/** The event as a line of the log. */
export function describeEvent(event: KmsJwtEvent): string {
  switch (event.type) {
    case 'key_published':
      return `The key ${event.kid} is published and verifies`;
    case 'key_activated':
      return `The key ${event.kid} signs from now on`;
    case 'key_removed':
      return `The key ${event.kid} is no longer published and verifies no more`;
    case 'refresh_failed':
      return `The keys could not be refreshed, the last ones stay: ${event.error.message}`;
    case 'store_failed':
      return `The ring store failed, a restart may not know the last keys: ${event.error.message}`;
    case 'refresh_recovered':
      return 'The keys could be refreshed again';
    case 'signature_refused':
      return `A token was withheld: ${event.error.message}`;
    case 'circuit_opened':
      return `${kmsIn(event.region)} is away, calls are refused but for one at a time that tries: ${event.error.message}`;
    default:
      return `${kmsIn(event.region)} answers again`;
  }
}

function kmsIn(region: string | undefined): string {
  return region === undefined ? 'KMS' : `KMS in ${region}`;
}

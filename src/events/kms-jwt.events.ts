import type { KmsSignatureError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';

const SECONDS_PER_MINUTE = 60;

/**
 * A change of the keys of a service, or of its connection to KMS, as emitted by `KmsJwtService.events`. A `kid` is as the
 * key set has it: one of a foreign key set may contain any characters.
 */
export type KmsJwtEvent =
  /** A key is published in the key set, and its tokens verify. */
  | { readonly type: 'key_published'; readonly kid: string }
  /** A key signs all new tokens. */
  | { readonly type: 'key_activated'; readonly kid: string }
  /** A key is no longer in the key set, and its tokens are refused. */
  | { readonly type: 'key_removed'; readonly kid: string }
  /** A key of `rotation.distrustedKeys`, or one that another instance distrusts, was found: it is used for nothing. */
  | { readonly type: 'key_distrusted'; readonly kid: string }
  /** The keys, or some of `verificationKeys`, could not be fetched; the last known ones stay in use. */
  | { readonly type: 'refresh_failed'; readonly error: Error }
  /**
   * The key set of `jwksUri` could not be fetched for a quarter, half or three quarters of `rotation.maxStale`, or for all of
   * it. In `staleIn` seconds, now if it is 0, all tokens are refused with a 503. `error` is that of the last fetch.
   */
  | { readonly type: 'keys_stale'; readonly staleIn: number; readonly error: Error }
  /** `rotation.store` could not be read or written. */
  | { readonly type: 'store_failed'; readonly error: Error }
  /** `rotation.store` is used, but its `warning` says that others might write to it. */
  | { readonly type: 'store_unsafe'; readonly warning: string }
  /** The keys were fetched, for the first time since a `refresh_failed`. */
  | { readonly type: 'refresh_recovered' }
  /** The KMS reply contains no valid signature of the token by the expected key: `sign` rejected. */
  | { readonly type: 'signature_refused'; readonly error: KmsSignatureError }
  /**
   * KMS is unavailable: calls fail fast, except for one probe at a time. `error` is that of the last call. With several
   * `regions`, `region` names the one that is unavailable; the others still sign.
   */
  | { readonly type: 'circuit_opened'; readonly error: Error; readonly region?: string }
  /** KMS is available again. */
  | { readonly type: 'circuit_closed'; readonly region?: string };

/** The log line of an event, in which a `kid` is one word of visible characters. */
export function describeEvent(event: KmsJwtEvent): string {
  switch (event.type) {
    case 'key_published':
      return `The key ${printableName(event.kid)} is published and verifies`;
    case 'key_activated':
      return `The key ${printableName(event.kid)} signs from now on`;
    case 'key_removed':
      return `The key ${printableName(event.kid)} is no longer published and no longer verifies`;
    case 'key_distrusted':
      return `The key ${printableName(event.kid)} is distrusted: it does not verify, sign or appear in the key set`;
    case 'refresh_failed':
      return `Could not refresh the keys; keeping the last known ones: ${event.error.message}`;
    case 'keys_stale':
      return `${stateOf(event.staleIn)} (rotation.maxStale): ${event.error.message}`;
    case 'store_failed':
      return `The ring store failed; after a restart the last known keys may be missing: ${event.error.message}`;
    case 'store_unsafe':
      return event.warning;
    case 'refresh_recovered':
      return 'The keys are up to date again';
    case 'signature_refused':
      return `A token was withheld: ${event.error.message}`;
    case 'circuit_opened':
      return `${kmsIn(event.region)} is unavailable; calls fail fast, except for one probe at a time: ${event.error.message}`;
    default:
      return `${kmsIn(event.region)} is available again`;
  }
}

function stateOf(staleIn: number): string {
  if (staleIn === 0) return 'The key set is too old: all tokens are refused with 503 until it can be fetched';
  const minutes = Math.ceil(staleIn / SECONDS_PER_MINUTE);
  return `The key set cannot be fetched: in ${minutes} minutes it is too old, and all tokens are refused with 503`;
}

function kmsIn(region: string | undefined): string {
  return region === undefined ? 'KMS' : `KMS in ${region}`;
}

import type { KmsSignatureError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';

const SECONDS_PER_MINUTE = 60;

/**
 * A change of the keys of a service, or of its connection to KMS, as emitted by `KmsJwtService.events`. What to do about each
 * is in docs/operations.md. A `kid` is passed on unchanged: in a foreign key set, it may contain any characters.
 */
export type KmsJwtEvent = {
  /** The name, from the module's `issuers`, of the issuer whose keys the event is about; absent for the module's own keys. */
  readonly issuer?: string;
} & (
  | {
      /** A key is published in the key set, and its tokens verify. */
      readonly type: 'key_published';
      readonly kid: string;
    }
  | {
      /** A key signs all new tokens. */
      readonly type: 'key_activated';
      readonly kid: string;
    }
  | {
      /** A key is no longer in the key set, and its tokens are refused. */
      readonly type: 'key_removed';
      readonly kid: string;
    }
  | {
      /** A key of `rotation.distrustedKeys`, or one that another instance distrusts, was found: it is not used. */
      readonly type: 'key_distrusted';
      readonly kid: string;
    }
  | {
      /**
       * The keys, or some of `verificationKeys`, could not be fetched; the last known ones stay in use. Or the metadata of an issuer
       * could not be read; its keys are fetched from their last known URL.
       */
      readonly type: 'refresh_failed';
      readonly error: Error;
    }
  | {
      /**
       * The key set of `jwksUri`, or of `issuer`, could not be fetched for a quarter, half or three quarters of
       * `rotation.maxStale`, or for all of it. All of its tokens are refused with a 503 in `staleIn` seconds, or from now on if
       * `staleIn` is 0. `error` is that of the last fetch.
       */
      readonly type: 'keys_stale';
      readonly staleIn: number;
      readonly error: Error;
    }
  | {
      /** `rotation.store` could not be read or written. */
      readonly type: 'store_failed';
      readonly error: Error;
    }
  | {
      /** `rotation.store` is used, but its `warning` says that others might write to it. */
      readonly type: 'store_unsafe';
      readonly warning: string;
    }
  | {
      /**
       * A clock jumped ahead by `seconds`, or back if it is negative, or the machine was suspended for `suspended` seconds.
       * Unless the clock was set back, the keys are looked up again before the next signature. No key is removed or activated
       * because of it.
       */
      readonly type: 'clock_stepped';
      readonly seconds: number;
      readonly suspended: number;
    }
  | {
      /** `sign` rejects with `error`: other instances would refuse the tokens of the active key. */
      readonly type: 'signing_suspended';
      readonly error: Error;
    }
  | {
      /** `sign` works again after a `signing_suspended`. */
      readonly type: 'signing_resumed';
      readonly kid: string;
    }
  | {
      /** The keys were fetched, for the first time since a `refresh_failed`. */
      readonly type: 'refresh_recovered';
    }
  | {
      /** The KMS reply contains no valid signature of the token by the expected key: `sign` rejected. */
      readonly type: 'signature_refused';
      readonly error: KmsSignatureError;
    }
  | {
      /**
       * KMS does not answer the calls of an operation: they fail fast, except for one probe at a time. `error` is that of the last
       * call. Verify is called with `verification: 'kms'` only. With several `regions`, `region` names the one that is unavailable;
       * the others still sign and verify.
       */
      readonly type: 'circuit_opened';
      readonly operation: 'Sign' | 'Verify';
      readonly error: Error;
      readonly region?: string;
    }
  | {
      /** KMS answers the calls of the operation again. */
      readonly type: 'circuit_closed';
      readonly operation: 'Sign' | 'Verify';
      readonly region?: string;
    }
);

/** The log line of an event, in which a `kid` is one word of visible characters. */
export function describeEvent(event: KmsJwtEvent): string {
  const line = lineOf(event);
  return event.issuer === undefined ? line : `Issuer ${printableName(event.issuer)}: ${line}`;
}

function lineOf(event: KmsJwtEvent): string {
  switch (event.type) {
    case 'key_published':
      return `The key ${printableName(event.kid)} is published and verifies tokens`;
    case 'key_activated':
      return `The key ${printableName(event.kid)} signs from now on`;
    case 'key_removed':
      return `The key ${printableName(event.kid)} is no longer published and no longer verifies tokens`;
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
    case 'clock_stepped':
      return describeStep(event.seconds, event.suspended);
    case 'signing_suspended':
      return `Signing is suspended: ${event.error.message}`;
    case 'signing_resumed':
      return `Tokens are signed again, by the key ${printableName(event.kid)}`;
    case 'refresh_recovered':
      return 'The keys are up to date again';
    case 'signature_refused':
      return `A token was withheld: ${event.error.message}`;
    case 'circuit_opened':
      return `${kmsIn(event.region)} is unavailable${forVerify(event)}; calls fail fast, except for one probe at a time: ${event.error.message}`;
    default:
      return `${kmsIn(event.region)} is available again${forVerify(event)}`;
  }
}

function stateOf(staleIn: number): string {
  if (staleIn === 0) return 'The key set is too old: all tokens are refused with 503 until it can be fetched';
  const minutes = Math.ceil(staleIn / SECONDS_PER_MINUTE);
  return `The key set cannot be fetched: in ${minutes} minutes it will be too old, and all tokens will be refused with 503`;
}

function describeStep(seconds: number, suspended: number): string {
  if (suspended > 0) {
    return `This machine was suspended for ${Math.round(suspended)} seconds; the keys are looked up again`;
  }
  if (seconds < 0) return `The wall clock was set back by ${Math.round(-seconds)} seconds`;
  return `A clock jumped ahead by ${Math.round(seconds)} seconds: it was set, or this machine was suspended; the keys are looked up again`;
}

function forVerify({ operation }: { operation: 'Sign' | 'Verify' }): string {
  return operation === 'Verify' ? ' for Verify' : '';
}

function kmsIn(region: string | undefined): string {
  return region === undefined ? 'KMS' : `KMS in ${region}`;
}

import { type KmsJwtEvent, KmsSignatureError } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { describeEvent } from '../../src/events/kms-jwt.events.js';

const error = new KmsSignatureError('the reason');

test.each<[KmsJwtEvent, string]>([
  [{ type: 'key_published', kid: 'a' }, 'The key a is published and verifies tokens'],
  [{ type: 'key_activated', kid: 'a' }, 'The key a signs from now on'],
  [{ type: 'key_removed', kid: 'a' }, 'The key a is no longer published and no longer verifies tokens'],
  [
    { type: 'key_distrusted', kid: 'a' },
    'The key a is distrusted: it does not verify, sign or appear in the key set',
  ],
  [{ type: 'refresh_failed', error }, 'Could not refresh the keys; keeping the last known ones: the reason'],
  [
    { type: 'keys_stale', staleIn: 3601, error },
    'The key set cannot be fetched: in 61 minutes it will be too old, and all tokens will be refused with 503 (rotation.maxStale): the reason',
  ],
  [
    { type: 'keys_stale', staleIn: 0, error },
    'The key set is too old: all tokens are refused with 503 until it can be fetched (rotation.maxStale): the reason',
  ],
  [{ type: 'refresh_recovered' }, 'The keys are up to date again'],
  [
    { type: 'store_failed', error },
    'The ring store failed; after a restart the last known keys may be missing: the reason',
  ],
  [{ type: 'store_unsafe', warning: 'the reason' }, 'the reason'],
  [{ type: 'signature_refused', error }, 'A token was withheld: the reason'],
  [
    { type: 'circuit_opened', operation: 'Sign', error },
    'KMS is unavailable; calls fail fast, except for one probe at a time: the reason',
  ],
  [
    { type: 'circuit_opened', operation: 'Sign', error, region: 'eu-west-1' },
    'KMS in eu-west-1 is unavailable; calls fail fast, except for one probe at a time: the reason',
  ],
  [
    { type: 'circuit_opened', operation: 'Verify', error },
    'KMS is unavailable for Verify; calls fail fast, except for one probe at a time: the reason',
  ],
  [{ type: 'circuit_closed', operation: 'Sign' }, 'KMS is available again'],
  [{ type: 'circuit_closed', operation: 'Verify' }, 'KMS is available again for Verify'],
  [{ type: 'circuit_closed', operation: 'Sign', region: 'eu-west-1' }, 'KMS in eu-west-1 is available again'],
])('%j is logged as one line', (event, line) => {
  expect(describeEvent(event)).toBe(line);
});

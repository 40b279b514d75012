import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { isSamePublicKey, type VerificationKey } from '../jwt/jwk.js';
import { keysOf, type RotationState } from './rotation.js';

type Keys = ReadonlyMap<string, VerificationKey>;

/** The events that a change of state gives rise to. */
export function eventsBetween(before: RotationState, after: RotationState): KmsJwtEvent[] {
  const [old, current] = [keysOf(before), keysOf(after)];
  const published = [...current.values()].filter((key) => !contains(old, key));
  const removed = [...old.values()].filter((key) => !contains(current, key));
  const activated = after.active && after.active.kid !== before.active?.kid ? [after.active.kid] : [];
  return [
    // First, because an issuer may give the kid of a removed key to another key.
    ...removed.map(({ kid }): KmsJwtEvent => ({ type: 'key_removed', kid })),
    ...published.map(({ kid }): KmsJwtEvent => ({ type: 'key_published', kid })),
    ...activated.map((kid): KmsJwtEvent => ({ type: 'key_activated', kid })),
  ];
}

function contains(keys: Keys, key: VerificationKey): boolean {
  const same = keys.get(key.kid);
  return same !== undefined && isSamePublicKey(same, key);
}

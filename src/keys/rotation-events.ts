import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { keysOf, type RotationState } from './rotation.js';

/** The events that a change of state gives rise to. */
export function eventsBetween(before: RotationState, after: RotationState): KmsJwtEvent[] {
  const [old, current] = [keysOf(before), keysOf(after)];
  const published = [...current.keys()].filter((kid) => !old.has(kid));
  const removed = [...old.keys()].filter((kid) => !current.has(kid));
  const activated = after.active && after.active.kid !== before.active?.kid ? [after.active.kid] : [];
  return [
    ...published.map((kid): KmsJwtEvent => ({ type: 'key_published', kid })),
    ...activated.map((kid): KmsJwtEvent => ({ type: 'key_activated', kid })),
    ...removed.map((kid): KmsJwtEvent => ({ type: 'key_removed', kid })),
  ];
}

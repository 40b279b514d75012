import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { keysOf, type Ring } from './rotation.js';

/** What a change of the ring means to those who watch it. */
export function eventsBetween(before: Ring, after: Ring): KmsJwtEvent[] {
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

import { keysOf, type Ring } from './rotation.js';

/** What happens to the keys of a service, for `KmsJwtService.events`. */
export type KmsJwtEvent =
  /** A key verifies from now on, and is in the key set. */
  | { readonly type: 'key_published'; readonly kid: string }
  /** A key signs from now on. */
  | { readonly type: 'key_activated'; readonly kid: string }
  /** A key neither verifies nor is in the key set any more. */
  | { readonly type: 'key_removed'; readonly kid: string }
  /** The keys could not be fetched; the last ones stay. */
  | { readonly type: 'refresh_failed'; readonly error: Error }
  /** The `ringStore` could not be read or written. */
  | { readonly type: 'store_failed'; readonly error: Error }
  /** The keys could be fetched again. */
  | { readonly type: 'refresh_recovered' };

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
    default:
      return 'The keys could be refreshed again';
  }
}

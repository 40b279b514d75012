import type { KmsJwtEvent } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { EventStream } from '../../src/events/event-stream.js';

const event = (kid: string): KmsJwtEvent => ({ type: 'key_published', kid });

function subscribe(stream: EventStream) {
  const kids: string[] = [];
  let isComplete = false;
  const subscription = stream.observable.subscribe({
    next: (one) => kids.push((one as { kid: string }).kid),
    complete: () => void (isComplete = true),
  });
  return { kids, isComplete: () => isComplete, subscription };
}

test('each subscriber receives the events before its subscription, until the app has started', () => {
  const stream = new EventStream();
  const first = subscribe(stream);
  stream.emit(event('a'));
  const second = subscribe(stream);
  stream.emit(event('b'));
  stream.started();
  const third = subscribe(stream);
  stream.emit(event('c'));
  expect([first.kids, second.kids, third.kids]).toEqual([['a', 'b', 'c'], ['a', 'b', 'c'], ['c']]);
});

test('an app that never finishes its start keeps only the last 100 events', () => {
  const stream = new EventStream();
  for (let index = 0; index < 1000; index += 1) stream.emit(event(String(index)));
  const { kids } = subscribe(stream);
  expect(kids).toHaveLength(100);
  stream.emit(event('live'));
  expect(kids.at(-1)).toBe('live');
});

test('it completes for current and later subscribers, and sends nothing to those who unsubscribed', () => {
  const stream = new EventStream();
  const early = subscribe(stream);
  const gone = subscribe(stream);
  gone.subscription.unsubscribe();
  stream.emit(event('a'));
  stream.complete();
  const late = subscribe(stream);
  expect([early.isComplete(), gone.isComplete(), late.isComplete()]).toEqual([true, false, true]);
  expect([early.kids, gone.kids, late.kids]).toEqual([['a'], [], []]);
});

import { Observable, Subject } from 'rxjs';
import type { KmsJwtEvent } from './kms-jwt.events.js';

/** More events than a start has: an app that never finishes its start must not fill the memory. */
const MAX_EARLY_EVENTS = 100;

/**
 * The events of one registration. The keys are fetched while Nest creates the app, when the app cannot subscribe yet: until it has
 * started, each subscriber also receives the events before its subscription.
 */
export class EventStream {
  private readonly subject = new Subject<KmsJwtEvent>();
  private early: KmsJwtEvent[] = [];
  private hasStarted = false;

  readonly emit = (event: KmsJwtEvent): void => {
    if (!this.hasStarted && this.early.length < MAX_EARLY_EVENTS) this.early.push(event);
    this.subject.next(event);
  };

  readonly observable = new Observable<KmsJwtEvent>((subscriber) => {
    for (const event of this.early) subscriber.next(event);
    return this.subject.subscribe(subscriber);
  });

  /** From now on, subscribers receive later events only. */
  started(): void {
    this.hasStarted = true;
    this.early = [];
  }

  complete(): void {
    this.started();
    this.subject.complete();
  }
}

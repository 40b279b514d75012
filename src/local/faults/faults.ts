import { types } from 'node:util';
import { type LocalKmsOperation, OPERATION_NAMES } from '../operations/operations.js';
import { checkChoice, checkError, checkInteger, checkObject, checkString } from '../store/checks.js';
import { requestAborted } from './connection-error.js';

/**
 * Something that goes wrong, for {@link LocalKms.inject}.
 *
 * | kind | what the client meets |
 * | --- | --- |
 * | `throttle` | ThrottlingException "Rate exceeded", HTTP 400; the SDK tries again |
 * | `error` | the exception `name`, with `message` (default empty) and `status` (default 400) |
 * | `delay` | the answer, `milliseconds` later |
 * | `hang` | no answer, until its `abortSignal` is aborted, the server is closed or the fault is stopped |
 * | `drop` | a connection that is reset (ECONNRESET) |
 * | `html` | HTTP 503 with a page of HTML, as from a proxy |
 * | `corruptSignature` | Sign: a signature in good DER that is wrong |
 * | `otherKey` | Sign: the signature, and the ARN, of another key |
 * | `signature` | Sign: the bytes of `signature` as the signature |
 * | `omitSignature` | Sign: success without a signature |
 */
export type LocalKmsFault =
  | (AnyOperationFault & { readonly kind: 'throttle' | 'drop' | 'hang' | 'html' })
  | (AnyOperationFault & {
      readonly kind: 'error';
      /** The exception, as `'AccessDeniedException'`. */
      readonly name: string;
      /** Default: empty. */
      readonly message?: string;
      /** The HTTP status, 400 to 599. Default 400. */
      readonly status?: number;
    })
  | (AnyOperationFault & {
      readonly kind: 'delay';
      /** How much later, in milliseconds. */
      readonly milliseconds: number;
    })
  | (SignFault & { readonly kind: 'corruptSignature' | 'otherKey' | 'omitSignature' })
  | (SignFault & {
      readonly kind: 'signature';
      /** The bytes that the answer has as `Signature`. */
      readonly signature: Uint8Array;
    });

interface AnyOperationFault {
  /** The operation it concerns. Default: every one. */
  readonly operation?: LocalKmsOperation;
  /** How many requests it concerns. Default: all, until it is stopped. */
  readonly times?: number;
}

interface SignFault {
  /** It concerns Sign alone. */
  readonly operation?: 'Sign';
  /** How many requests it concerns. Default: all, until it is stopped. */
  readonly times?: number;
}

/** A fault that was injected. */
export interface LocalKmsInjectedFault {
  /** How many requests it has met. */
  readonly count: number;
  /** Ends it. Requests that it delays, or leaves hanging, are answered now. */
  stop(): void;
}

/** The faults that were injected, in their order. */
export class Faults {
  private injected: InjectedFault[] = [];

  /** @throws TypeError that names the property that is unknown or wrong. */
  inject(fault: LocalKmsFault): InjectedFault {
    checkFault(fault);
    const injected = new InjectedFault(fault);
    this.injected.push(injected);
    return injected;
  }

  /** The first fault that concerns the operation and is not used up; it is used once more. */
  take(operation: LocalKmsOperation): InjectedFault | undefined {
    this.injected = this.injected.filter((fault) => !fault.isOver);
    const taken = this.injected.find((fault) => fault.concerns(operation));
    if (taken !== undefined) taken.count += 1;
    return taken;
  }
}

/** A fault, and the requests it has met. */
export class InjectedFault implements LocalKmsInjectedFault {
  count = 0;
  private stopped = false;
  private readonly held = new Set<() => void>();

  constructor(readonly fault: LocalKmsFault) {}

  get isOver(): boolean {
    return this.stopped || this.count === this.fault.times;
  }

  concerns(operation: LocalKmsOperation): boolean {
    const only = SIGN_FAULTS.has(this.fault.kind) ? 'Sign' : this.fault.operation;
    return only === undefined || only === operation;
  }

  stop(): void {
    this.stopped = true;
    for (const release of this.held) release();
  }

  /**
   * Holds a request until the milliseconds are over (none given: for ever) or the fault is stopped.
   *
   * @throws ConnectionError (rejects with) when `gone` is aborted: nobody waits for the answer any more.
   */
  hold(gone: AbortSignal | undefined, milliseconds?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.held.delete(release);
        gone?.removeEventListener('abort', abandon);
      };
      const release = () => {
        end();
        resolve();
      };
      const abandon = () => {
        end();
        reject(requestAborted(gone?.reason));
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(release, milliseconds);
      this.held.add(release);
      gone?.addEventListener('abort', abandon);
    });
  }
}

const MAX_TIMER_MILLISECONDS = 2 ** 31 - 1;

const SIGN_FAULTS: ReadonlySet<string> = new Set<LocalKmsFault['kind']>([
  'corruptSignature',
  'otherKey',
  'signature',
  'omitSignature',
]);

const OWN_PROPERTIES: Readonly<Record<LocalKmsFault['kind'], readonly string[]>> = {
  throttle: [],
  error: ['name', 'message', 'status'],
  delay: ['milliseconds'],
  hang: [],
  drop: [],
  html: [],
  corruptSignature: [],
  otherKey: [],
  signature: ['signature'],
  omitSignature: [],
};

function checkFault(fault: LocalKmsFault): void {
  const kinds = Object.keys(OWN_PROPERTIES) as LocalKmsFault['kind'][];
  const kind = checkChoice((fault as Partial<LocalKmsFault> | undefined)?.kind, 'LocalKms fault.kind', kinds);
  checkObject(fault, 'LocalKms fault', ['kind', 'operation', 'times', ...OWN_PROPERTIES[kind]]);
  const known = SIGN_FAULTS.has(kind) ? ['Sign'] : OPERATION_NAMES;
  checkChoice(fault.operation ?? 'Sign', 'LocalKms fault.operation', known);
  checkInteger(fault.times ?? 1, 'LocalKms fault.times', 1, Number.MAX_SAFE_INTEGER);

  if (fault.kind === 'error') {
    checkString(fault.name, 'LocalKms fault.name', 'the name of an exception', /./);
    checkString(fault.message ?? '', 'LocalKms fault.message', 'a string');
    checkInteger(fault.status ?? 400, 'LocalKms fault.status', 400, 599);
  }
  if (fault.kind === 'delay') {
    checkInteger(fault.milliseconds, 'LocalKms fault.milliseconds', 0, MAX_TIMER_MILLISECONDS);
  }
  if (fault.kind === 'signature' && !types.isUint8Array(fault.signature)) {
    throw checkError('LocalKms fault.signature', 'must be a Uint8Array');
  }
}

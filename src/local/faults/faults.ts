import { types } from 'node:util';
import { type LocalKmsOperation, OPERATION_NAMES } from '../operations/operations.js';
import { checkChoice, checkError, checkInteger, checkObject, checkString } from '../store/checks.js';
import { requestAborted } from './connection-error.js';

/**
 * A failure to simulate, for {@link LocalKms.inject}.
 *
 * | kind | what the client gets |
 * | --- | --- |
 * | `throttle` | ThrottlingException "Rate exceeded", HTTP 400; the SDK retries |
 * | `error` | the exception `name`, with `message` (default: empty) and `status` (default: 400) |
 * | `delay` | the response, `milliseconds` later |
 * | `hang` | no response until the `abortSignal` of the request is aborted, the server is closed or the fault is stopped |
 * | `drop` | a connection reset (ECONNRESET) |
 * | `html` | HTTP 503 with an HTML page, as from a proxy |
 * | `corruptSignature` | Sign: an invalid signature in valid DER |
 * | `otherKey` | Sign: the signature and ARN of another key |
 * | `signature` | Sign: the bytes of `signature` as the signature |
 * | `omitSignature` | Sign: success without a signature |
 *
 * @example
 * ```ts
 * const fault: LocalKmsFault = { kind: 'error', name: 'AccessDeniedException', operation: 'Sign' };
 * localKms.inject(fault);
 * ```
 */
export type LocalKmsFault = (
  | {
      readonly kind: 'throttle' | 'drop' | 'hang' | 'html';
      /** The operation that the fault applies to. Default: every operation. */
      readonly operation?: LocalKmsOperation;
    }
  | {
      readonly kind: 'error';
      readonly operation?: LocalKmsOperation;
      /** The exception name, such as `'AccessDeniedException'`. */
      readonly name: string;
      /** The exception message. Default: empty. */
      readonly message?: string;
      /** The HTTP status, 400 to 599. Default: 400. */
      readonly status?: number;
    }
  | {
      readonly kind: 'delay';
      readonly operation?: LocalKmsOperation;
      /** The delay in milliseconds, 0 to 2,147,483,647. */
      readonly milliseconds: number;
    }
  | {
      readonly kind: 'corruptSignature' | 'otherKey' | 'omitSignature';
      /** The fault applies to Sign only. */
      readonly operation?: 'Sign';
    }
  | {
      readonly kind: 'signature';
      readonly operation?: 'Sign';
      /** The bytes of `Signature` in the response. */
      readonly signature: Uint8Array;
    }
) & {
  /** The number of requests that the fault applies to. Default: unlimited, until it is stopped. */
  readonly times?: number;
};

/**
 * A fault that was injected.
 *
 * @example
 * ```ts
 * const outage: LocalKmsInjectedFault = localKms.inject({ kind: 'drop' });
 * await expect(jwt.sign({ sub: 'user-42' })).rejects.toThrow(KmsUnavailableError);
 * outage.stop();
 * ```
 */
export interface LocalKmsInjectedFault {
  /** The number of requests that the fault has been applied to. */
  readonly count: number;
  /**
   * Ends the fault. Requests that it delays or leaves hanging get their response now.
   *
   * @example
   * ```ts
   * const fault = localKms.inject({ kind: 'hang' });
   * const pending = jwt.sign({ sub: 'user-42' });
   * fault.stop();
   * await pending;
   * ```
   */
  stop(): void;
}

/** The injected faults, in order of injection. */
export class Faults {
  private injected: InjectedFault[] = [];

  /** @throws TypeError that names the unknown or invalid property */
  inject(fault: LocalKmsFault): InjectedFault {
    checkFault(fault);
    const injected = new InjectedFault(fault);
    this.injected.push(injected);
    return injected;
  }

  /** The first fault that applies to the operation and is not used up. Counts one use of it. */
  take(operation: LocalKmsOperation): InjectedFault | undefined {
    this.injected = this.injected.filter((fault) => !fault.isOver);
    const taken = this.injected.find((fault) => fault.appliesTo(operation));
    if (taken !== undefined) taken.count += 1;
    return taken;
  }
}

/** A fault and the requests that it holds. */
export class InjectedFault implements LocalKmsInjectedFault {
  count = 0;
  private stopped = false;
  private readonly held = new Set<() => void>();

  constructor(readonly fault: LocalKmsFault) {}

  get isOver(): boolean {
    return this.stopped || this.count === this.fault.times;
  }

  appliesTo(operation: LocalKmsOperation): boolean {
    const only = SIGN_FAULTS.has(this.fault.kind) ? 'Sign' : this.fault.operation;
    return only === undefined || only === operation;
  }

  stop(): void {
    this.stopped = true;
    for (const release of this.held) release();
  }

  /**
   * Holds a request until the fault is stopped or the time is over.
   *
   * @param gone aborted once the client no longer waits for the response
   * @param milliseconds default: no limit
   * @throws ConnectionError (rejects with) if `gone` is aborted
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

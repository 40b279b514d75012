import {
  KmsAccessDeniedError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
} from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import { isSameKey } from '../kms/key-arn.js';
import type { KeyRing } from './key-ring.js';
import type { SigningKey } from './signing-key.js';
import type { TrustedKeys } from './trusted-keys.js';

export interface AliasSignerSettings {
  /** As it is configured. */
  readonly keyId: string;
  /** Whether Sign is always sent by `keyId`: for policies with the condition `kms:RequestAlias`. */
  readonly requestAlias: boolean;
}

/** The minimum time between two fetches of a key that Sign has shown, in milliseconds. */
const FETCH_INTERVAL_MS = 1000;
/** With the alias, with the ARN after the alias was refused, and with the next key after that was refused, too. */
const MAX_ATTEMPTS = 3;

/** Waits for a promise, until the caller aborts or its time is up. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

/** A key, the `KeyId` to send with Sign, and when it is sent, in elapsed time. */
interface Selection {
  readonly key: SigningKey;
  readonly keyId: string;
  readonly sentAt: number;
}

/** The answer of Sign. */
interface Signed {
  readonly keyArn: string;
}

/**
 * Decides which key signs, and which `KeyId` is sent with Sign: the ARN, so that a token names the key that has signed it; the
 * alias if the last lookup is too old, because the key in the answer shows where the alias points. So an outage of only
 * GetPublicKey does not prevent signing.
 */
export class AliasSigner {
  private isSuspended = false;
  /** When the key was last fetched because Sign had shown one that is not known. */
  private fetchedTargetAt = -Infinity;

  /** @param emit is called when signing is suspended, and when it is resumed */
  constructor(
    private readonly ring: Pick<
      KeyRing,
      'active' | 'activeNow' | 'lastFailure' | 'refresh' | 'retireEarly' | 'retry'
    >,
    private readonly keys: Pick<
      TrustedKeys,
      'active' | 'lookups' | 'maySign' | 'needsLookup' | 'recordTarget'
    >,
    private readonly settings: AliasSignerSettings,
    private readonly emit: (event: KmsJwtEvent) => void,
  ) {}

  /**
   * Signs with the key that is to sign now. Tries again if the first answer shows that another key is to sign, or that the alias
   * must not be used.
   *
   * @param send calls Sign for this key, with this `KeyId`
   * @param wait waits for a key, for as long as the caller does
   * @returns the key, and the answer of `send`
   * @throws KmsUnavailableError while other instances would refuse the tokens of the active key; KmsSignatureError if another
   * key has signed; what the ring and `send` throw
   */
  async sign<T extends Signed>(
    send: (key: SigningKey, keyId: string) => Promise<T>,
    wait: Wait = (promise) => promise,
  ): Promise<{ key: SigningKey; answer: T }> {
    const active = this.ring.activeNow;
    let selection = (active && this.selectionFor(active)) ?? (await wait(this.select()));
    for (let attempt = 1; ; attempt += 1) {
      try {
        const signed = await this.signWith(selection, send, wait);
        this.resumed(signed.key);
        return signed;
      } catch (error) {
        const next = attempt < MAX_ATTEMPTS && (await this.selectionAfter(error, selection, attempt, wait));
        if (!next) throw error instanceof OtherKeyError && error.isByAlias ? this.movingError(error) : error;
        selection = next;
      }
    }
  }

  private async signWith<T extends Signed>(
    { key, keyId, sentAt }: Selection,
    send: (key: SigningKey, keyId: string) => Promise<T>,
    wait: Wait,
  ): Promise<{ key: SigningKey; answer: T }> {
    const answer = await send(key, keyId);
    const isByAlias = keyId !== key.keyArn;
    if (isByAlias && !this.keys.recordTarget(answer.keyArn, sentAt)) {
      await wait(this.fetchTarget());
    }
    if (isSameKey(answer.keyArn, key.keyArn)) return { key, answer };
    throw new OtherKeyError(answer.keyArn, key.keyArn, isByAlias);
  }

  /** Fetches at once, unless that was done a moment ago: KMS may answer with another key each time. */
  private fetchTarget(): Promise<void> {
    const now = this.keys.lookups.now();
    if (now < this.fetchedTargetAt + FETCH_INTERVAL_MS) return this.ring.retry();
    this.fetchedTargetAt = now;
    return this.ring.refresh();
  }

  /** What to try after a failure; undefined if the failure is final. */
  private async selectionAfter(
    error: unknown,
    { key, keyId, sentAt }: Selection,
    attempt: number,
    wait: Wait,
  ): Promise<Selection | undefined> {
    const isByAlias = keyId !== key.keyArn;
    const isRefused = error instanceof KmsKeyError || error instanceof KmsAccessDeniedError;
    if (isRefused && isByAlias && !this.settings.requestAlias) {
      // The alias was deleted, points to a disabled key, or may not be used. That says nothing about this key.
      return this.keys.maySign ? { key, keyId: key.keyArn, sentAt } : undefined;
    }
    const isReplaced =
      error instanceof OtherKeyError
        ? error.isByAlias && attempt === 1
        : error instanceof KmsKeyError && (await this.isRetiredEarly(key, wait));
    return isReplaced ? wait(this.select()) : undefined;
  }

  /** Whether the key was disabled too early, perhaps before this instance has seen that the alias has moved. */
  private async isRetiredEarly(key: SigningKey, wait: Wait): Promise<boolean> {
    if (this.ring.retireEarly(key)) return true;
    await wait(this.ring.retry());
    return this.ring.retireEarly(key);
  }

  private async select(): Promise<Selection> {
    const selection = this.selectionFor(await this.ring.active());
    if (selection) return selection;
    await this.ring.retry();
    const key = await this.ring.active();
    const retried = this.selectionFor(key);
    if (retried) return retried;
    throw this.suspended(key);
  }

  private selectionFor(found: SigningKey): Selection | undefined {
    const { keyId, requestAlias } = this.settings;
    // First, because this reading of the clocks notices a suspension.
    const sentAt = this.keys.lookups.now();
    const { active: key = found, needsLookup, maySign, lookups } = this.keys;
    const isLookup =
      lookups.unknownTarget === undefined
        ? needsLookup || (maySign && requestAlias)
        : lookups.isUnknownTargetOld;
    if (isLookup) return { key, keyId, sentAt };
    return maySign && !requestAlias ? { key, keyId: key.keyArn, sentAt } : undefined;
  }

  private resumed({ kid }: SigningKey): void {
    if (this.isSuspended) this.emit({ type: 'signing_resumed', kid });
    this.isSuspended = false;
  }

  private suspended(key: SigningKey): KmsUnavailableError {
    const error = new KmsUnavailableError('alias_moved', `No token was signed: ${this.reason(key)}`);
    if (!this.isSuspended) this.emit({ type: 'signing_suspended', error });
    this.isSuspended = true;
    return error;
  }

  /** KMS is eventually consistent: in the minutes after a move, it may answer with the new key and then with the old one again. */
  private movingError({ message }: OtherKeyError): KmsUnavailableError {
    const problem = `No token was signed: ${this.settings.keyId} has just moved, and KMS does not answer with the same key each time`;
    return new KmsUnavailableError('alias_moved', `${problem} (${message})`);
  }

  private reason(key: SigningKey): string {
    const { keyId } = this.settings;
    const { unknownTarget } = this.keys.lookups;
    if (unknownTarget === undefined) {
      return `${keyId} has moved, and a clock has jumped, so that other instances may refuse tokens of the key ${printableName(key.kid)}; the new key signs after rotation.activationDelay, or at once after a restart without rotation.store`;
    }
    const { lastFailure } = this.ring;
    const why = lastFailure instanceof Error ? `: ${lastFailure.message}` : '';
    return `${keyId} points to the key ${printableName(unknownTarget)}, whose public key could not be fetched${why}`;
  }
}

/** KMS has signed with a different key than the one that the token names. */
class OtherKeyError extends KmsSignatureError {
  override readonly name = 'KmsSignatureError';

  constructor(
    actual: string,
    expected: string,
    readonly isByAlias: boolean,
  ) {
    super(`KMS signed with the key ${printableName(actual)} instead of ${expected}`);
  }
}

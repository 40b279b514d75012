import { generateKeyPairSync } from 'node:crypto';
import { KmsKeyError, KmsUnavailableError } from '../../src/errors/errors.js';
import type { KmsPublicKey } from '../../src/kms/kms-gateway.js';
import type { Machine } from './time.js';

export const ALIAS = 'alias/auth';
/** How long KMS may answer with the former key after a move, in milliseconds. */
export const PROPAGATION = 300_000;

const LATENCY = 20;
const TIMEOUT = 3000;
const KEYS: readonly KmsPublicKey[] = Array.from({ length: 8 }, (_, index) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return {
    keyArn: `arn:aws:kms:eu-central-1:000000000000:key/${index}`,
    spki: publicKey.export({ format: 'der', type: 'spki' }),
    keySpec: 'ECC_NIST_P256',
    keyUsage: 'SIGN_VERIFY',
  };
});

export type Operation = 'GetPublicKey' | 'Sign';

/** A time in which the alias points to one key. */
export interface Tenure {
  readonly kid: string;
  readonly from: number;
  until: number;
}

/** A KMS with one alias, whose moves each caller sees with a different delay. */
export class SimulatedKms {
  readonly tenures: Tenure[] = [{ kid: '0', from: -1e9, until: Infinity }];
  readonly disabled = new Set<string>();
  /** Until when operations fail, by instance and operation. */
  private readonly partitions = new Map<string, number>();

  /** @param delay by how much an answer is out of date, as a share of PROPAGATION; it may differ each time */
  constructor(private readonly delay: (instance: number) => number) {}

  get target(): string {
    return (this.tenures.at(-1) as Tenure).kid;
  }

  moveAlias(kid: string, now: number): void {
    if (kid === this.target || this.disabled.has(kid)) return;
    (this.tenures.at(-1) as Tenure).until = now;
    this.tenures.push({ kid, from: now, until: Infinity });
  }

  /** The key that the alias pointed to before. */
  get previous(): string | undefined {
    return this.tenures.at(-2)?.kid;
  }

  partition(instance: number, operation: Operation, until: number): void {
    const name = `${instance} ${operation}`;
    this.partitions.set(name, Math.max(this.partitions.get(name) ?? 0, until));
  }

  isPartitioned(instance: number, operation: Operation, now: number): boolean {
    return now < (this.partitions.get(`${instance} ${operation}`) ?? -Infinity);
  }

  getPublicKey(instance: number, machine: Machine): Promise<KmsPublicKey> {
    const isPartitioned = this.isPartitioned(instance, 'GetPublicKey', machine.time.now);
    return machine.call(isPartitioned ? TIMEOUT : LATENCY, () => {
      if (isPartitioned) throw unreachable();
      const kid = this.read(instance, machine.time.now);
      if (this.disabled.has(kid)) throw new KmsKeyError('disabled');
      return KEYS[Number(kid)] as KmsPublicKey;
    });
  }

  /** @returns the ARN of the key that signed */
  async sign(instance: number, keyId: string, now: number): Promise<string> {
    if (this.isPartitioned(instance, 'Sign', now)) throw unreachable();
    const keyArn = keyId === ALIAS ? (KEYS[Number(this.read(instance, now))] as KmsPublicKey).keyArn : keyId;
    if (this.disabled.has(kidOf(keyArn))) throw new KmsKeyError('disabled');
    return keyArn;
  }

  private read(instance: number, now: number): string {
    const at = now - this.delay(instance) * PROPAGATION;
    return (this.tenures.findLast(({ from }) => from <= at) as Tenure).kid;
  }
}

export const KEY_COUNT = KEYS.length;
export const kidOf = (keyArn: string) => keyArn.slice(keyArn.lastIndexOf('/') + 1);
const unreachable = () => new KmsUnavailableError('network', 'partitioned');

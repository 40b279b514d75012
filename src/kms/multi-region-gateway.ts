import { BLOCKED_TIME } from '../async/blocked-time.js';
import { Deadline, withDeadline } from '../async/deadline.js';
import { KmsKeyError, KmsUnavailableError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import { inRegion } from './key-arn.js';
import type {
  KmsGateway,
  KmsPublicKey,
  KmsSignature,
  KmsSignRequest,
  KmsVerifyRequest,
} from './kms-gateway.js';

/** The time from a failure of a Region until one call tries that Region again, in milliseconds. */
const COOLDOWN_MS = 10_000;

/**
 * The share of the time limit for a Region in its cooldown, relative to 1 for an available one; and the share of `timeout`
 * that `getPublicKey` waits for the remaining Regions after the first reply, to compare the keys.
 */
const FALLBACK_TIMEOUT_SHARE = 0.25;

type Operation = 'Sign' | 'Verify';

interface Region {
  readonly name: string;
  readonly gateway: KmsGateway;
  /** When its cooldown ends, for each operation: an outage of one says nothing about the other. -Infinity if it has none. */
  readonly availableAt: Record<Operation, number>;
}

/**
 * Calls KMS in the Regions of a Multi-Region key. The first Region in the order of preference signs and verifies; if it is
 * unavailable, the next one does, within the same time limit.
 */
export class MultiRegionGateway implements KmsGateway {
  private readonly regions: readonly Region[];

  /**
   * @param gateways by Region, in the order of preference; at least one
   * @param timeout the time limit of one call in milliseconds. The Regions share it, so that the last one has time left if
   * those before it do not answer.
   * @param now a monotonic clock in milliseconds
   */
  constructor(
    gateways: ReadonlyMap<string, KmsGateway>,
    private readonly timeout: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.regions = [...gateways].map(([name, gateway]) => ({
      name,
      gateway,
      availableAt: { Sign: -Infinity, Verify: -Infinity },
    }));
  }

  get circuit(): 'closed' | 'open' {
    return this.regions.every(({ gateway }) => gateway.circuit === 'open') ? 'open' : 'closed';
  }

  get verifyCircuit(): 'closed' | 'open' {
    return this.regions.every(({ gateway }) => gateway.verifyCircuit === 'open') ? 'open' : 'closed';
  }

  /** @throws KmsKeyError if the keys of two Regions differ; the errors of the gateways */
  async getPublicKey(keyId: string): Promise<KmsPublicKey> {
    const pending = this.regions.map(({ name, gateway }) => gateway.getPublicKey(inRegion(keyId, name)));
    // If all fail, one of their errors is thrown below.
    await Promise.any(pending).catch(() => {});
    const outcomes = await Promise.allSettled(
      pending.map((reply) => withDeadline(() => reply, this.timeout * FALLBACK_TIMEOUT_SHARE, notCompared)),
    );
    const replies = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const [first] = replies;
    const failed = outcomes.find(
      (outcome) => outcome.status === 'rejected' && !isUnavailable(outcome.reason),
    );
    if (failed?.status === 'rejected') throw failed.reason;
    if (!first) throw (outcomes[0] as PromiseRejectedResult).reason;

    const other = replies.find(({ spki }) => !Buffer.from(spki).equals(first.spki));
    if (other) {
      throw new KmsKeyError(
        `${printableName(first.keyArn)} and ${printableName(other.keyArn)} are not replicas of one Multi-Region key: the option regions needs such a key, or an alias of its replica in each Region`,
      );
    }
    // The ARN in the first Region, whichever Region replied: the `kid` may be derived from it.
    const home = this.regions[0]?.name ?? '';
    return { ...first, keyArn: inRegion(first.keyArn, home) };
  }

  sign(request: KmsSignRequest): Promise<KmsSignature> {
    return this.inFirstAvailable('Sign', request, (gateway, regional) => gateway.sign(regional));
  }

  verify(request: KmsVerifyRequest): Promise<void> {
    return this.inFirstAvailable('Verify', request, (gateway, regional) => gateway.verify(regional));
  }

  private async inFirstAvailable<Request extends KmsSignRequest, Reply>(
    operation: Operation,
    request: Request,
    send: (gateway: KmsGateway, request: Request) => Promise<Reply>,
  ): Promise<Reply> {
    const candidates = this.candidates(operation);
    const deadlineAt = BLOCKED_TIME.now() + Math.min(this.timeout, request.deadline?.remainingMs ?? Infinity);
    let lastError!: KmsUnavailableError;
    for (const [index, { region, share }] of candidates.entries()) {
      const shares = candidates.slice(index).reduce((sum, candidate) => sum + candidate.share, 0);
      const timeout = Math.max(1, Math.floor(((deadlineAt - BLOCKED_TIME.now()) * share) / shares));
      const deadline = new Deadline(timeout);
      try {
        const keyId = inRegion(request.keyId, region.name);
        const reply = await send(region.gateway, { ...request, keyId, deadline });
        region.availableAt[operation] = -Infinity;
        return reply;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        // A full queue, or a blocked event loop, does not mean that the Region is unavailable.
        if (error.reason !== 'overloaded' && error.reason !== 'blocked')
          region.availableAt[operation] = this.now() + COOLDOWN_MS;
        lastError = error;
      } finally {
        deadline.end();
      }
    }
    throw lastError;
  }

  async close(): Promise<void> {
    await Promise.all(this.regions.map(({ gateway }) => gateway.close()));
  }

  /**
   * The available Regions in the order of preference, then those in their cooldown. A Region whose cooldown is over starts
   * a new one here, so that only one call at a time tries it.
   */
  private candidates(operation: Operation): { region: Region; share: number }[] {
    const now = this.now();
    const available = this.regions.filter(({ availableAt }) => availableAt[operation] <= now);
    for (const { availableAt } of available) {
      if (availableAt[operation] > -Infinity) availableAt[operation] = now + COOLDOWN_MS;
    }
    const others = this.regions.filter((region) => !available.includes(region));
    return [
      ...available.map((region) => ({ region, share: 1 })),
      ...others.map((region) => ({ region, share: FALLBACK_TIMEOUT_SHARE })),
    ];
  }
}

function notCompared(): KmsUnavailableError {
  return new KmsUnavailableError(
    'timeout',
    'A Region did not answer GetPublicKey in time: its key was not compared',
  );
}

function isUnavailable(error: unknown): error is KmsUnavailableError {
  return error instanceof KmsUnavailableError;
}

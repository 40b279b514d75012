import { KmsKeyError, KmsUnavailableError } from '../errors/errors.js';
import { withDeadline } from '../async/deadline.js';
import { inRegion } from './key-arn.js';
import type { KmsGateway, KmsPublicKey, KmsSignature, KmsSignRequest } from './kms-gateway.js';

/** For how long a Region that was unavailable is passed over, in milliseconds; then one call tries it again. */
const PASS_OVER = 10_000;

/**
 * The part of the deadline that a Region gets that is passed over, next to one that is not, or whose key is to be compared
 * with one that is there already.
 */
const LAST_RESORT = 0.25;

interface Region {
  readonly name: string;
  readonly gateway: KmsGateway;
  availableAt: number;
}

/**
 * The replicas of a Multi-Region key: the first Region answers, the next where that is unavailable, within one deadline.
 */
export class RegionalGateway implements Pick<KmsGateway, 'getPublicKey' | 'sign' | 'circuit' | 'close'> {
  private readonly regions: readonly Region[];

  /**
   * @param gateways by Region, in the order of preference
   * @param timeout of one call, in milliseconds: those that are asked share it, so that the last has time left when those
   * before it are silent
   * @param now milliseconds of a clock that never goes back
   */
  constructor(
    gateways: ReadonlyMap<string, KmsGateway>,
    private readonly timeout: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.regions = [...gateways].map(([name, gateway]) => ({ name, gateway, availableAt: -Infinity }));
  }

  /** @throws KmsKeyError where two Regions have different keys, and what the gateways throw */
  async getPublicKey(keyId: string): Promise<KmsPublicKey> {
    const asked = this.regions.map(({ name, gateway }) => gateway.getPublicKey(inRegion(keyId, name)));
    // Where all fail, what they say is told below.
    await Promise.any(asked).catch(() => {});
    const answers = await Promise.allSettled(
      asked.map((answer) => withDeadline(() => answer, this.timeout * LAST_RESORT, notCompared)),
    );
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const [first] = found;
    const failed = answers.find((answer) => answer.status === 'rejected' && !isAway(answer.reason));
    if (failed?.status === 'rejected') throw failed.reason;
    if (!first) throw (answers[0] as PromiseRejectedResult).reason;

    const differs = found.find(({ spki }) => !Buffer.from(spki).equals(first.spki));
    // Whichever Region answers, the key is called the same.
    const home = this.regions[0]?.name ?? '';
    if (!differs) return { ...first, keyArn: inRegion(first.keyArn, home) };
    throw new KmsKeyError(`${first.keyArn} and ${differs.keyArn} are not replicas of one Multi-Region key`);
  }

  async sign(request: KmsSignRequest): Promise<KmsSignature> {
    const candidates = this.candidates();
    const end = this.now() + this.timeout;
    for (const [index, { region, weight }] of candidates.entries()) {
      const rest = candidates.slice(index).reduce((sum, candidate) => sum + candidate.weight, 0);
      const timeout = Math.max(1, Math.floor(((end - this.now()) * weight) / rest));
      try {
        const keyId = inRegion(request.keyId, region.name);
        const signature = await region.gateway.sign({ ...request, keyId, timeout });
        region.availableAt = -Infinity;
        return signature;
      } catch (error) {
        if (!isAway(error)) throw error;
        if (error.reason !== 'overloaded') region.availableAt = this.now() + PASS_OVER;
        if (index === candidates.length - 1) throw error;
      }
    }
    throw new KmsUnavailableError('failure', 'No Region is configured');
  }

  /** `open` while every Region is away. */
  get circuit(): 'closed' | 'open' {
    return this.regions.every(({ gateway }) => gateway.circuit === 'open') ? 'open' : 'closed';
  }

  async close(): Promise<void> {
    await Promise.all(this.regions.map(({ gateway }) => gateway.close()));
  }

  /** Those that are thought to be available, in their order, before those that were not; one call at a time tries again. */
  private candidates(): { region: Region; weight: number }[] {
    const now = this.now();
    const available = this.regions.filter(({ availableAt }) => availableAt <= now);
    for (const region of available) if (region.availableAt > -Infinity) region.availableAt = now + PASS_OVER;
    const others = this.regions.filter((region) => !available.includes(region));
    return [
      ...available.map((region) => ({ region, weight: 1 })),
      ...others.map((region) => ({ region, weight: LAST_RESORT })),
    ];
  }
}

function notCompared(): KmsUnavailableError {
  return new KmsUnavailableError('timeout', 'A Region did not answer GetPublicKey in time to be compared');
}

function isAway(error: unknown): error is KmsUnavailableError {
  return error instanceof KmsUnavailableError;
}

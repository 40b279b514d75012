import { ES256 } from '../../src/jwt/algorithms.js';
import { JwksKeySource } from '../../src/keys/jwks-key-source.js';
import type { KeyRing } from '../../src/keys/key-ring.js';
import { type Instance, type Knowledge, verifier } from './instance.js';
import type { Machine } from './time.js';

/** How long a cache may use a key set, in milliseconds: `max-age` plus `stale-while-revalidate`. */
const LIFETIME = 360_000;

/** The key set of an instance, as its route serves it. */
export interface Answer {
  readonly from: Instance;
  /** In simulated time. */
  readonly at: number;
  /** The knowledge of the instance at that time. */
  readonly knowledge: Knowledge;
  readonly kids: readonly string[];
  readonly isNoStore: boolean;
}

async function answerOf(instance: Instance): Promise<Answer> {
  const keys = await instance.ring.all();
  const { now } = instance.machine.time;
  // Answers of KMS at this very moment have not reached the ring yet.
  const seen = new Map([...instance.knowledge.seen].filter(([, at]) => at < now));
  return {
    from: instance,
    at: now,
    knowledge: { ...instance.knowledge, seen },
    kids: keys.map(({ kid }) => kid),
    isNoStore: instance.ring.health.stale,
  };
}

/** Chooses a running instance at random. */
export class LoadBalancer {
  constructor(
    private readonly instances: readonly Instance[],
    private readonly random: () => number,
  ) {}

  async fetch(): Promise<Answer | undefined> {
    const running = this.instances.filter(({ isRunning }) => isRunning);
    const instance = running[Math.floor(this.random() * running.length)];
    return instance && answerOf(instance);
  }
}

/** A cache that keeps an answer for as long as `Cache-Control` permits. */
export class Cache {
  private kept: { readonly answer: Answer; readonly at: number } | undefined;

  constructor(private readonly balancer: LoadBalancer) {}

  /** The cached key set if it lacks the key; undefined if it has the key, or if it may not be cached. */
  async lacks(kid: string, now: number): Promise<Answer | undefined> {
    const answer = await this.answer(now);
    return !answer || answer.isNoStore || answer.kids.includes(kid) ? undefined : answer;
  }

  private async answer(now: number): Promise<Answer | undefined> {
    if (this.kept && now < this.kept.at + LIFETIME) return this.kept.answer;
    const answer = await this.balancer.fetch();
    this.kept = answer && !answer.isNoStore ? { answer, at: now } : undefined;
    return answer;
  }
}

/** A service that verifies with the key set from the load balancer. */
export class VerifyOnlyService {
  readonly ring: KeyRing;
  /** The last two answers. */
  readonly answers: Answer[] = [];

  constructor(
    private readonly balancer: LoadBalancer,
    machine: Machine,
    jwkOf: (kid: string) => object,
    random: () => number,
  ) {
    const fetcher = async () => {
      const answer = await this.balancer.fetch();
      if (!answer) throw new TypeError('fetch failed');
      this.answers.splice(0, this.answers.length - 1);
      this.answers.push(answer);
      const cacheControl = answer.isNoStore ? 'no-store' : 'max-age=300';
      return Response.json({ keys: answer.kids.map(jwkOf) }, { headers: { 'cache-control': cacheControl } });
    };
    const settings = { refreshInterval: 300, maxStale: 86_400, timeout: 60_000, algorithms: [ES256] };
    const source = new JwksKeySource('https://issuer.example/jwks.json', settings, machine, fetcher);
    this.ring = verifier(source, machine, random);
  }

  async refuses(kid: string): Promise<boolean> {
    try {
      return (await this.ring.find(kid)) === undefined;
    } catch {
      return false;
    }
  }
}

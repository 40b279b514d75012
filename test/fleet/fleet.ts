import { defaultActivationDelay } from '../../src/options/defaults.js';
import { Cache, LoadBalancer, VerifyOnlyService } from './caches.js';
import { Instance, type Options } from './instance.js';
import { SimulatedKms } from './kms.js';
import { BrokenPromise, type Exception, Promises } from './promises.js';
import { type FleetEvent, HORIZON, type Schedule } from './schedule.js';
import { Machine, SimulatedTime } from './time.js';

const REFRESH_INTERVAL = 300;
/** When instances first sign, and how often, in milliseconds. */
const FIRST_SIGNATURE = 60_000;
const SIGNS_EVERY = 45_000;
/** The most by which two wall clocks may differ, in seconds. */
const CLOCK_TOLERANCE = 5;
/** The most by which a clock may be too fast or too slow, as a share of time. */
const MAX_DRIFT = 50e-6;
const CACHES = 2;
/** The interval at which the verify-only service receives a token with an unknown kid, in milliseconds. */
const UNKNOWN_EVERY = 4 * SIGNS_EVERY;
/** One of so many instances has a store, because reading and writing it takes most of the time of a schedule. */
const STORE_EVERY = 10;

export interface Outcome {
  readonly signed: number;
  readonly refused: number;
  readonly exceptions: ReadonlyMap<Exception, number>;
}

/** Runs a schedule. @throws BrokenPromise */
export async function runSchedule(schedule: Schedule, size: number): Promise<Outcome> {
  return new Fleet(schedule, size).run();
}

class Fleet {
  private readonly time = new SimulatedTime();
  private readonly random: () => number;
  private readonly kms: SimulatedKms;
  private readonly instances: Instance[];
  private readonly caches: Cache[];
  private readonly services: VerifyOnlyService[];
  private readonly promises: Promises;
  private failure: unknown;

  constructor(
    private readonly schedule: Schedule,
    size: number,
  ) {
    this.random = randomFrom(schedule.seed);
    const delays = { none: () => 0, longest: () => 1, random: this.random };
    this.kms = new SimulatedKms(delays[schedule.delay]);
    const options = this.options();
    this.instances = Array.from(
      { length: size },
      (_, index) =>
        new Instance(index, this.machine(), this.kms, options, this.random, index % STORE_EVERY === 0),
    );
    const balancer = new LoadBalancer(this.instances, this.random);
    this.caches = Array.from({ length: CACHES }, () => new Cache(balancer));
    this.services = [new VerifyOnlyService(balancer, this.machine(), (kid) => this.jwkOf(kid), this.random)];
    this.promises = new Promises(this.kms, options);
  }

  private readonly fail = (problem: BrokenPromise) => {
    this.failure ??= problem;
  };

  async run(): Promise<Outcome> {
    for (const instance of this.instances) instance.start();
    for (const event of this.schedule.events) this.time.at(event.at * 1000, () => this.apply(event));
    for (let at = FIRST_SIGNATURE; at <= HORIZON * 1000 && !this.failure; at += SIGNS_EVERY) {
      await this.time.runUntil(at);
      // It fetches the key set, and cannot fetch again for 30 seconds.
      if ((at - FIRST_SIGNATURE) % UNKNOWN_EVERY === 0)
        for (const service of this.services) void service.refuses('unknown');
      await this.signEverywhere();
      this.promises.check(this.instances, this.caches, this.services, this.time.now, this.fail);
    }
    if (this.failure) throw this.failure;
    await Promise.all(this.instances.map((instance) => instance.stop()));
    await Promise.all(this.services.map(({ ring }) => ring.stop()));
    return this.promises;
  }

  /** A signature that waits for a lookup is recorded when it is made. */
  private async signEverywhere(): Promise<void> {
    for (const instance of this.instances.filter(({ isRunning }) => isRunning)) {
      instance.sign().then(
        (kid) => this.promises.record(instance, kid, this.time.now),
        (error: unknown) => this.promises.refuse(instance, error, this.time.now, this.fail),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  private apply(event: FleetEvent): void {
    const { now } = this.time;
    switch (event.kind) {
      case 'move':
        return this.kms.moveAlias(String(event.key), now);
      case 'disable':
        return void (
          this.kms.previous !== this.kms.target && this.kms.disabled.add(this.kms.previous ?? 'none')
        );
      case 'distrust':
        return this.distrust(this.kms.previous);
      default:
        for (const instance of this.instances) {
          if (event.instance === -1 || event.instance === instance.index) this.disturb(instance, event);
        }
    }
  }

  private disturb(
    instance: Instance,
    event: Exclude<FleetEvent, { kind: 'move' | 'disable' | 'distrust' }>,
  ): void {
    const { machine } = instance;
    const end = (run: () => void) => this.time.after(event.for * 1000, run);
    switch (event.kind) {
      case 'freeze':
        if (machine.frozen) return;
        machine.freeze(event.how);
        return end(() => {
          machine.thaw();
          instance.jumps.push(this.time.now);
          if (event.how === 'paused') instance.pauses.push(this.time.now);
        });
      case 'partition':
        for (const operation of event.operations) {
          this.kms.partition(instance.index, operation, this.time.now + event.for * 1000);
        }
        return;
      case 'clock':
        // A frozen machine cannot set its clock.
        if (machine.frozen) return;
        this.setClock(instance, event.by);
        return end(() => machine.whenRunning(() => this.correctClock(instance, event.by)));
      case 'store':
        instance.isStoreFailing = true;
        return end(() => (instance.isStoreFailing = false));
      default:
        this.restart(instance, event.for, event.losesStore);
    }
  }

  private setClock({ machine, jumps }: Instance, by: number): void {
    machine.step += by * 1000;
    jumps.push(this.time.now);
  }

  /** Not at the moment of a thaw: the correction would hide the duration of the freeze. */
  private correctClock(instance: Instance, by: number): void {
    this.time.after(SIGNS_EVERY + 1000, () => this.setClock(instance, -by));
  }

  private restart(instance: Instance, seconds: number, losesStore: boolean): void {
    if (!instance.isRunning) return;
    void instance.stop();
    if (losesStore) instance.loseStore();
    this.time.after(seconds * 1000, () => instance.machine.whenRunning(() => instance.start()));
  }

  /** The operator restarts every instance with `distrustedKeys`. */
  private distrust(kid: string | undefined): void {
    if (kid === undefined || kid === this.kms.target) return;
    this.promises.distrust(kid);
    for (const instance of this.instances) {
      instance.distrusted = [...instance.distrusted, kid];
      this.restart(instance, 1 + instance.index, false);
      this.time.after(60_000, () => this.expectDistrusted(instance, kid));
    }
  }

  private expectDistrusted(instance: Instance, kid: string): void {
    if (instance.isRunning && instance.configured.includes(kid) && instance.keys.all.has(kid)) {
      this.fail(new BrokenPromise(`instance ${instance.index} trusts key ${kid}, which is distrusted`));
    }
  }

  private jwkOf(kid: string): object {
    for (const { keys } of this.instances) {
      const key = keys.all.get(kid);
      if (key) return key.jwk;
    }
    return {};
  }

  private machine(): Machine {
    const between = (limit: number) => (2 * this.random() - 1) * limit;
    return new Machine(this.time, between(MAX_DRIFT), between((CLOCK_TOLERANCE * 1000) / 2));
  }

  private options(): Options {
    const { activationDelay, expiresIn } = this.schedule;
    return {
      refreshInterval: REFRESH_INTERVAL,
      activationDelay: activationDelay === 'default' ? defaultActivationDelay(REFRESH_INTERVAL) : 0,
      requestAlias: activationDelay === 'requestAlias',
      expiresIn,
      clockTolerance: CLOCK_TOLERANCE,
    };
  }
}

/** Random numbers from 0 to below 1: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

import type { KmsJwtEvent, KmsJwtRingStore, StoredRing } from 'nestjs-kms-jwt';
import { ES256 } from '../../src/jwt/algorithms.js';
import { AliasSigner } from '../../src/keys/alias-signer.js';
import { KeyRing, type KeySource } from '../../src/keys/key-ring.js';
import { KmsKeySource } from '../../src/keys/kms-key-source.js';
import { RingPersistence } from '../../src/keys/ring-persistence.js';
import { TrustedKeys } from '../../src/keys/trusted-keys.js';
import { ALIAS, kidOf, type SimulatedKms } from './kms.js';
import type { Machine } from './time.js';

/** The options of every instance; durations are seconds. */
export interface Options {
  readonly refreshInterval: number;
  readonly activationDelay: number;
  readonly expiresIn: number;
  readonly clockTolerance: number;
  readonly requestAlias: boolean;
}

/** The knowledge of an instance since its last start. */
export interface Knowledge {
  /** Whether its first keys came from KMS or from the store. */
  readonly started: 'fresh' | 'resumed';
  /** The number of lookups answered before this start. */
  readonly lookupsBefore: number;
  /** The number of lookups answered before its last start without a store. */
  readonly lookupsForgotten: number;
  /** When KMS last returned each key that it has, in simulated time, by `kid`. */
  readonly seen: ReadonlyMap<string, number>;
}

/** One instance of the service, across restarts. */
export class Instance {
  ring!: KeyRing;
  keys!: TrustedKeys;
  isUp = false;
  knowledge: Knowledge = { started: 'fresh', lookupsBefore: 0, lookupsForgotten: 0, seen: new Map() };
  /** The answered lookups: when, in simulated time, with which key, and whether that key was known. */
  readonly lookups: { readonly at: number; readonly kid: string; readonly isKnown: boolean }[] = [];
  /** When a clock was set, or the machine thawed, in simulated time. */
  readonly jumps: number[] = [];
  /** When the machine thawed after a pause that only the wall clock shows, in simulated time. */
  readonly pauses: number[] = [];
  distrusted: string[] = [];
  /** The `distrustedKeys` of its last start. */
  configured: readonly string[] = [];
  isStoreFailing = false;
  private stored: StoredRing | undefined;
  private signer!: AliasSigner;

  constructor(
    readonly index: number,
    readonly machine: Machine,
    private readonly kms: SimulatedKms,
    private readonly options: Options,
    private readonly random: () => number,
    private readonly hasStore: boolean,
  ) {}

  /** Starts it, and retries while KMS is unavailable. */
  start(): void {
    this.configured = this.distrusted;
    const started = this.stored && !this.isStoreFailing ? 'resumed' : 'fresh';
    const seen = new Map(started === 'resumed' ? this.knowledge.seen : undefined);
    const lookupsBefore = this.lookups.length;
    const lookupsForgotten = started === 'resumed' ? this.knowledge.lookupsForgotten : lookupsBefore;
    this.knowledge = { started, lookupsBefore, lookupsForgotten, seen };
    const emit = (event: KmsJwtEvent) =>
      event.type === 'key_published' && seen.set(event.kid, this.machine.time.now);
    const settings = {
      ...this.options,
      keyId: ALIAS,
      kid: 'key-id' as const,
      verificationKeys: [],
      retireAfter: undefined,
      distrustedKeys: this.distrusted,
      algorithms: [ES256],
    };
    const gateway = { getPublicKey: async () => this.lookUp(seen) };
    const persistence = new RingPersistence(
      this.hasStore ? this.store() : undefined,
      { instance: 'default', source: ALIAS },
      60_000,
      emit,
    );
    this.keys = new TrustedKeys(persistence, settings, emit, this.machine);
    this.ring = new KeyRing(new KmsKeySource(gateway, settings), this.keys, emit, this.machine, this.random);
    this.signer = new AliasSigner(this.ring, this.keys, settings, emit);
    const { ring } = this;
    ring.all().then(
      () => {
        if (this.ring !== ring) return;
        this.isUp = true;
        for (const kid of seen.keys()) if (!this.keys.all.has(kid)) seen.delete(kid);
      },
      () => this.machine.schedule(() => this.ring === ring && this.start(), 30_000),
    );
  }

  async stop(): Promise<void> {
    this.isUp = false;
    await this.ring.stop();
  }

  loseStore(): void {
    this.stored = undefined;
  }

  get isRunning(): boolean {
    return this.isUp && !this.machine.frozen;
  }

  /** Signs a token. @returns the `kid` of its key */
  async sign(): Promise<string> {
    const now = () => this.machine.time.now;
    const { key } = await this.signer.sign(async (_, keyId) => {
      const keyArn = await this.kms.sign(this.index, keyId, now());
      const kid = kidOf(keyArn);
      if (keyId === ALIAS) this.lookups.push({ at: now(), kid, isKnown: this.keys.all.has(kid) });
      return { keyArn };
    });
    return key.kid;
  }

  /** Whether a token of this key is refused with 401, not with 503. */
  async refuses(kid: string): Promise<boolean> {
    try {
      return (await this.ring.find(kid)) === undefined;
    } catch {
      return false;
    }
  }

  private async lookUp(seen: Map<string, number>) {
    const reply = await this.kms.getPublicKey(this.index, this.machine);
    const [at, kid] = [this.machine.time.now, kidOf(reply.keyArn)];
    this.lookups.push({ at, kid, isKnown: true });
    seen.set(kid, at);
    return reply;
  }

  private store(): KmsJwtRingStore {
    const fail = () => {
      if (this.isStoreFailing) throw new Error('the store is unavailable');
    };
    return {
      load: async () => {
        fail();
        return structuredClone(this.stored);
      },
      save: async (ring) => {
        fail();
        this.stored = ring;
      },
    };
  }
}

const ignore = () => {};

/** A service that only verifies. */
export function verifier(source: KeySource, machine: Machine, random: () => number): KeyRing {
  const settings = {
    activationDelay: 0,
    retireAfter: 0,
    refreshInterval: 300,
    distrustedKeys: [],
    algorithms: [ES256],
  };
  const persistence = new RingPersistence(undefined, { instance: 'default', source: '' }, 60_000, ignore);
  return new KeyRing(
    source,
    new TrustedKeys(persistence, settings, ignore, machine),
    ignore,
    machine,
    random,
  );
}

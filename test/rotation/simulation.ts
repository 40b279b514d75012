import { createHash } from 'node:crypto';
import {
  DeleteAliasCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  SignCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  type KmsJwtEvent,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  type KmsJwtRingStore,
  KmsJwtService,
  type StoredRing,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { vi } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { fromKmsSignature } from '../../src/jwt/kms-signature.js';

export const MINUTE = 60;
export const HOUR = 3600;
export const DAY = 86_400;
export const WEEK = 7 * DAY;
export const TEN_YEARS = 3650 * DAY;

/** Advances the simulated time by so many seconds, and runs due timers. */
export const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
export const now = () => Math.floor(Date.now() / 1000);

const nothing = () => {};
/** No log lines: simulated weeks produce many. */
const SILENT = { log: nothing, warn: nothing, error: nothing };

export interface Instance {
  jwt: KmsJwtService;
  events: KmsJwtEvent[];
  stop: () => Promise<void>;
}

/** A KMS with the keys `alias/auth`, `alias/next` and `alias/third`, and instances of one service, in simulated time. */
export class Simulation {
  readonly localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'next' }, { alias: 'third' }] });
  private readonly modules = new Set<TestingModule>();

  constructor() {
    vi.useFakeTimers({
      now: Date.UTC(2026, 0, 1),
      toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'],
    });
  }

  /** The key id, which is also the `kid`, of one of its keys. */
  keyId(index: number): string {
    return this.localKms.keys[index]?.keyId ?? '';
  }

  async start(options: Partial<KmsJwtModuleOptions> = {}): Promise<Instance> {
    const kmsJwt = KmsJwtModule.forRoot({
      ...(!options.jwksUri && {
        keyId: 'alias/auth',
        client: this.localKms.client({ maxAttempts: 1 }),
        signOptions: { expiresIn: MINUTE },
      }),
      ...options,
    });
    const module = await Test.createTestingModule({ imports: [kmsJwt] })
      .setLogger(SILENT)
      .compile();
    this.modules.add(module);
    const events: KmsJwtEvent[] = [];
    const jwt = module.get(KmsJwtService);
    jwt.events.subscribe((event) => events.push(event));
    await module.init();
    const stop = async () => {
      this.modules.delete(module);
      await module.close();
    };
    return { jwt, events, stop };
  }

  async moveAlias(index: number): Promise<void> {
    await this.send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: this.keyId(index) }));
  }

  async deleteAlias(): Promise<void> {
    await this.send(new DeleteAliasCommand({ AliasName: 'alias/auth' }));
  }

  async disableKey(index: number): Promise<void> {
    await this.send(new DisableKeyCommand({ KeyId: this.keyId(index) }));
  }

  async enableKey(index: number): Promise<void> {
    await this.send(new EnableKeyCommand({ KeyId: this.keyId(index) }));
  }

  /** A token with any claims, as an attacker with permission to use the KMS key could have it signed. */
  async steal(index: number, claims: object): Promise<string> {
    const header = { alg: 'ES256', typ: 'JWT', kid: this.keyId(index) };
    const input = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const command = new SignCommand({
      KeyId: this.keyId(index),
      Message: createHash('sha256').update(input).digest(),
      MessageType: 'DIGEST',
      SigningAlgorithm: 'ECDSA_SHA_256',
    });
    const { Signature } = (await this.send(command)) as { Signature: Uint8Array };
    const signature = fromKmsSignature(Signature, { algorithm: ES256, signatureLength: 64 });
    return `${input}.${signature.toString('base64url')}`;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.modules].map((module) => module.close()));
    vi.useRealTimers();
  }

  private async send(command: object): Promise<unknown> {
    const client = this.localKms.client();
    const answer: unknown = await client.send(command as never);
    client.destroy();
    return answer;
  }
}

/** A ring store, and its contents. */
export function storeInMemory() {
  const stored: { ring?: StoredRing } = {};
  const store: KmsJwtRingStore = {
    load: async () => structuredClone(stored.ring),
    save: async (ring) => void (stored.ring = structuredClone(ring)),
  };
  return { store, stored };
}

/** The kids in the key set of an instance. */
export const published = async ({ jwt }: Instance) => (await jwt.jwks()).keys.map(({ kid }) => kid);

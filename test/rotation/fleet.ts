import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UpdateAliasCommand } from '@aws-sdk/client-kms';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import {
  FileRingStore,
  type KmsJwtEvent,
  KmsJwtModule,
  KmsJwtService,
  KmsUnavailableError,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';

/** Seconds. Instances see a move at most 1.1 seconds apart, so that all of them know a key before one signs with it. */
const TIMES = { refreshInterval: 1, activationDelay: 4, retireAfter: 3 };
/** Milliseconds. Plus the lag of an instance it is less than `activationDelay`, as the default max-age is with the default delay. */
const VERIFIER_CACHE = 500;
/** Milliseconds after which a token is verified again: its key may no longer sign then. */
const SECOND_LOOK = 1000;
const JWKS_PATH = '.well-known/jwks.json';

@Module({})
class AppModule {}

/** One instance of a service, across restarts. */
export interface Instance {
  app: INestApplication | undefined;
  jwt: KmsJwtService;
  readonly store: FileRingStore;
  /** The kids of its tokens in order, without repetitions. */
  readonly kids: string[];
  readonly events: KmsJwtEvent[];
  /** The number of failed calls of sign because of KMS. */
  unsigned: number;
}

/** Instances of a service with one KMS, which sign tokens and verify those of the others during the traffic. */
export class Fleet {
  readonly instances: Instance[] = [];
  /** Every failure except calls of sign that failed because of KMS. */
  readonly failures: unknown[] = [];
  signed = 0;
  verified = 0;
  private isRunning = true;
  private traffic: Promise<unknown> = Promise.resolve();
  private readonly tokens: { token: string; at: number }[] = [];

  private constructor(
    readonly localKms: LocalKms,
    private readonly folder: string,
  ) {}

  static async start(size: number): Promise<Fleet> {
    const localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'auth-next' }] });
    const fleet = new Fleet(localKms, await mkdtemp(join(tmpdir(), 'rotation-')));
    for (let index = 0; index < size; index += 1) fleet.instances.push(await fleet.startInstance(index));
    const [first] = fleet.instances;
    // It does not fetch for an unknown kid: it has the new key in time, or refuses.
    const keySet = createRemoteJWKSet(new URL(JWKS_PATH, await first?.app?.getUrl()), {
      cacheMaxAge: VERIFIER_CACHE,
      cooldownDuration: 60_000,
    });
    const others = (token: string) => jwtVerify(token, keySet);
    fleet.traffic = Promise.all(fleet.instances.map((instance) => fleet.run(instance, others)));
    return fleet;
  }

  /** The AWS key id, and so the kid, of one of the two keys. */
  kid(which: 'old' | 'new'): string {
    return this.localKms.keys[which === 'old' ? 0 : 1]?.keyId ?? '';
  }

  async moveAlias(): Promise<void> {
    const client = this.localKms.client();
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/auth', TargetKeyId: this.kid('new') }));
    client.destroy();
  }

  async restart(index: number): Promise<void> {
    const instance = this.instances[index] as Instance;
    const { app } = instance;
    instance.app = undefined;
    await app?.close();
    await this.boot(instance);
  }

  /** The kids in the key set of an instance, over HTTP. */
  async published({ app }: Instance): Promise<string[]> {
    const response = await fetch(new URL(JWKS_PATH, await app?.getUrl()));
    return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
  }

  /** Ends the traffic, and waits for pending calls. */
  async endTraffic(): Promise<void> {
    this.isRunning = false;
    await this.traffic;
  }

  async stop(): Promise<void> {
    await this.endTraffic();
    await Promise.all(this.instances.map(async ({ app }) => app?.close()));
    await rm(this.folder, { recursive: true });
  }

  private async startInstance(index: number): Promise<Instance> {
    const store = new FileRingStore(join(this.folder, `ring-${index}.json`));
    const instance = { store, kids: [], events: [], unsigned: 0 } as Partial<Instance> as Instance;
    await this.boot(instance);
    return instance;
  }

  private async boot(instance: Instance): Promise<void> {
    const kmsJwt = KmsJwtModule.forRoot({
      keyId: 'alias/auth',
      client: this.localKms.client(),
      jwksPath: JWKS_PATH,
      signOptions: { expiresIn: 60 },
      rotation: { store: instance.store, ...TIMES },
    });
    const app = await NestFactory.create({ module: AppModule, imports: [kmsJwt] }, { logger: false });
    const jwt = app.get(KmsJwtService);
    jwt.events.subscribe((event) => instance.events.push(event));
    await app.listen(0, '127.0.0.1');
    Object.assign(instance, { app, jwt });
  }

  private async run(instance: Instance, verifyElsewhere: (token: string) => Promise<unknown>): Promise<void> {
    while (this.isRunning) {
      // Lets timers and sockets run.
      await nextTurn();
      if (instance.app) await this.sign(instance);
      const token = this.tokens.at(-1)?.token;
      if (token === undefined) continue;
      await this.verify(token, verifyElsewhere);
      const earlier = this.tokens[0];
      if (!earlier || earlier.at + SECOND_LOOK > Date.now()) continue;
      this.tokens.shift();
      await this.verify(earlier.token, verifyElsewhere);
    }
  }

  private async sign(instance: Instance): Promise<void> {
    try {
      const token = await instance.jwt.sign({ sub: 'user-42' });
      this.signed += 1;
      this.tokens.push({ token, at: Date.now() });
      const { kid } = instance.jwt.decode(token, { complete: true }).header;
      if (instance.kids.at(-1) !== kid) instance.kids.push(String(kid));
    } catch (error) {
      if (error instanceof KmsUnavailableError) instance.unsigned += 1;
      else this.failures.push(error);
    }
  }

  private async verify(token: string, verifyElsewhere: (token: string) => Promise<unknown>): Promise<void> {
    const here = this.instances.filter(({ app }) => app).map(({ jwt }) => jwt.verify(token));
    const results = await Promise.allSettled([...here, verifyElsewhere(token)]);
    this.verified += results.length;
    for (const result of results) if (result.status === 'rejected') this.failures.push(result.reason);
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LocalKmsFault } from 'nestjs-kms-jwt/local';

const PROGRAM = fileURLToPath(new URL('processes/kms.mjs', import.meta.url));

/** A LocalKms in a separate process, which can be killed and restarted. */
export class Kms {
  private child!: ChildProcess;
  private ended!: Promise<never>;
  port = 0;
  publicKey!: KeyObject;
  private startedAt = -Infinity;
  private killedAt = Infinity;

  /** @param keyFile keeps the key over restarts */
  constructor(private readonly keyFile: string) {}

  async start(): Promise<void> {
    this.child = fork(PROGRAM, [this.keyFile, String(this.port)], { execArgv: [] });
    this.ended = once(this.child, 'exit').then(() => {
      throw new Error('The process of KMS has ended');
    });
    this.ended.catch(() => {});
    const { port, publicKey } = (await this.message()) as { port: number; publicKey: string };
    this.port = port;
    this.publicKey = createPublicKey({
      key: Buffer.from(publicKey, 'base64'),
      format: 'der',
      type: 'spki',
    });
    this.startedAt = performance.now();
  }

  /** Whether KMS was up at that time, and for at least `since` milliseconds after its last restart. */
  wasUp(at: number, since: number): boolean {
    return at < this.killedAt || at >= this.startedAt + since;
  }

  /**
   * Sets the fault until the next call; none without an argument.
   *
   * @returns the number of Sign requests since its start
   */
  async setFault(fault?: LocalKmsFault): Promise<number> {
    this.child.send({ fault });
    return (await this.message()) as number;
  }

  async kill(): Promise<void> {
    this.killedAt = performance.now();
    this.child.kill('SIGKILL');
    await this.ended.catch(() => {});
  }

  private async message(): Promise<unknown> {
    const [message] = (await Promise.race([once(this.child, 'message'), this.ended])) as [unknown];
    return message;
  }
}

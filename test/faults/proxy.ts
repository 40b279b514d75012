import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.js';

const CONFIG = fileURLToPath(new URL('haproxy.cfg', import.meta.url));

/** HAProxy, which simulates the network between the service and KMS. */
export class Proxy {
  private child!: ChildProcess;
  url = '';

  /** @param directory of its sockets */
  constructor(private readonly directory: string) {}

  async start(kmsPort: number): Promise<void> {
    const port = String(await freePort());
    this.url = `http://127.0.0.1:${port}`;
    this.child = spawn('haproxy', ['-db', '-f', CONFIG], {
      env: { ...process.env, FAULTS_DIR: this.directory, PROXY_PORT: port, KMS_PORT: String(kmsPort) },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const failed = new Promise<never>((_, reject) => {
      this.child.once('error', () =>
        reject(new Error('haproxy is not on the PATH: apt-get install haproxy')),
      );
      this.child.once('exit', (code) => reject(new Error(`haproxy ended with ${code}`)));
    });
    await Promise.race([this.untilReady(), failed]);
  }

  /** @param fault a backend of haproxy.cfg */
  async setFault(fault = 'none'): Promise<void> {
    const answer = await this.ask(
      `experimental-mode on; clear counters all; set var proc.fault str(${fault})`,
    );
    if (answer !== '') throw new Error(`haproxy: ${answer}`);
  }

  /** The most concurrent connections of the service since the fault was set. */
  async mostConnections(): Promise<number> {
    const [names = [], ...rows] = (await this.ask('show stat')).split('\n').map((line) => line.split(','));
    const network = rows.find(([name]) => name === 'network');
    return Number(network?.[names.indexOf('smax')]);
  }

  async stop(): Promise<void> {
    if (this.child.pid === undefined || this.child.exitCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }

  private async ask(commands: string): Promise<string> {
    const socket = connect(join(this.directory, 'admin.sock'));
    socket.end(`${commands}\n`);
    return (await text(socket)).trim();
  }

  private async untilReady(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const isReady = await this.setFault().then(
        () => true,
        () => false,
      );
      if (isReady) return;
      await setTimeout(50);
    }
    throw new Error('haproxy does not answer');
  }
}

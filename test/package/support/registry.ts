import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/free-port.js';
import { run } from './run.js';
import { Terminal } from './terminal.js';

/** An npm registry on this machine. */
export interface Registry {
  readonly url: string;
  /** Publishes a tarball, as `npm publish` does. */
  publish(tarball: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts verdaccio, which serves what is published here, and all other packages from the registry that npm is configured for.
 * 6.8 is the last version for Node.js 20. It depends on the dist-tag `cjs` of node-fetch, which some mirrors lack.
 */
export async function startRegistry(folder: string): Promise<Registry> {
  await cp(fileURLToPath(new URL('../registry', import.meta.url)), folder, { recursive: true });
  const [uplink] = await Promise.all([
    run(folder, 'npm', 'config', 'get', 'registry'),
    run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--prefer-offline'),
  ]);
  const anyone = '$anonymous';
  const config = {
    storage: './storage',
    web: { enable: false },
    uplinks: { npm: { url: uplink.trim(), timeout: '60s' } },
    packages: {
      'nestjs-kms-jwt': { access: anyone, publish: anyone },
      '**': { access: anyone, proxy: 'npm' },
    },
    log: { type: 'stdout', format: 'pretty', level: 'warn' },
  };
  // YAML is a superset of JSON.
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(config));

  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}/`;
  const command = `npx verdaccio --config config.yaml --listen ${address}`;
  const terminal = await Terminal.open(folder, command, /http address/);
  const token = `--//${address}/:_authToken=anyone`;
  return {
    url,
    publish: async (tarball) => {
      await run(folder, 'npm', 'publish', tarball, '--tag', 'latest', '--registry', url, token);
    },
    stop: () => terminal.close(),
  };
}

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';

/** Runs a shell with its own network and resolv.conf, which needs Linux with unprivileged user namespaces. */
const ISOLATED = ['unshare', '-rmn', 'sh', '-c'] as const;
const [UNSHARE, ...OPTIONS] = ISOLATED;
const isIsolable = spawnSync(UNSHARE, [...OPTIONS, 'ip link set lo up']).status === 0;

/** A DNS server that never answers. */
const SILENT_SERVER = `
  const { createSocket } = require('node:dgram');
  createSocket('udp4').bind(53, '127.0.0.1', () => process.stdout.write('listening'));
`;

const SCRIPT = `
  ip link set lo up
  mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
  node "$FOLDER/dns.cjs" > "$FOLDER/ready" &
  server=$!
  until [ -s "$FOLDER/ready" ]; do sleep 0.05; done
  date +%s%N >&2
  npm run --silent --ignore-scripts start >&2
  echo "ended with $?" >&2
  date +%s%N >&2
  kill $server
`;

test.runIf(isIsolable)(
  '`npm start` exits soon after its deadline when no DNS server answers',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dns-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n');
    writeFileSync(join(folder, 'dns.cjs'), SILENT_SERVER);
    const { RES_OPTIONS: _, ...own } = process.env;
    const child = spawn(UNSHARE, [...OPTIONS, SCRIPT], {
      env: {
        ...own,
        FOLDER: folder,
        NODE_ENV: 'production',
        KMS_KEY_ID: 'alias/auth',
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: 'dummy',
        AWS_SECRET_ACCESS_KEY: 'dummy',
        PORT: '0',
        GRPC_PORT: '0',
      },
    });
    const [output] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    const [started = 0, ended = 0] = (output.match(/^\d{19}$/gm) ?? []).map((time) => Number(time) / 1e6);
    expect(output).toContain('KMS did not answer GetPublicKey');
    expect(output).toContain('ended with 1');
    // The start, the deadline of three seconds, and one timeout of the resolver, which would be 5 seconds twice by default.
    expect(ended - started).toBeLessThan(9000);
  },
  30_000,
);

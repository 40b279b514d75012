#!/usr/bin/env node
import { once } from 'node:events';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import type { LocalKmsKeySpec } from './store/key-specs.js';

const USAGE = `Usage: nestjs-kms-jwt local-kms [options]

Serves an AWS KMS for development on 127.0.0.1. It checks no credentials.

Options:
  --alias <name>      alias of a key, repeatable (default: auth)
  --key-spec <spec>   spec of the keys, as in CreateKey (default: ECC_NIST_P256)
  --file <path>       file that keeps the keys, so that they survive a restart
  --region <region>   Region of the keys (default: us-east-1)
  --port <number>     port, 0 for a free one (default: 4599)
  --help              print this
`;

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = 1;
});

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      alias: { type: 'string', multiple: true, default: ['auth'] },
      'key-spec': { type: 'string', default: 'ECC_NIST_P256' },
      file: { type: 'string' },
      region: { type: 'string', default: 'us-east-1' },
      port: { type: 'string', default: '4599' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (positionals.join(' ') !== 'local-kms') throw new Error(USAGE);

  // LocalKms checks each value.
  const keySpec = values['key-spec'] as LocalKmsKeySpec;
  const keys = values.alias.map((alias) => ({ alias, keySpec }));
  const port = portOf(values.port);
  await checkPort(port);
  const { LocalKms } = await import('./local-kms.js');
  const localKms = new LocalKms({ keys, region: values.region, file: values.file });
  const server = await localKms.listen(port);

  for (const { arn, aliases } of localKms.keys)
    for (const { aliasName } of aliases) console.log(`# ${aliasName} is ${arn}`);
  console.log(`export AWS_ENDPOINT_URL_KMS=${server.url} AWS_REGION=${values.region}`);
  console.log('export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local');

  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.close();
}

function portOf(value: string): number {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : NaN;
  if (port <= 65_535) return port;
  throw new Error('--port must be a number from 0 to 65535');
}

/** Before LocalKms writes its key file, which the process that already listens may use. @throws Error if the port is in use */
async function checkPort(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

function messageOf(error: unknown): string {
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'ERR_MODULE_NOT_FOUND' && message.includes('@aws-sdk/client-kms')) {
    return 'The local KMS needs the AWS SDK: npm install @aws-sdk/client-kms';
  }
  if (code !== 'EADDRINUSE') return message;
  return `Port ${port} is in use: stop the process that listens there, or choose another one with --port`;
}

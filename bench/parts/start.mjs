// The duration of the steps of a start, in fresh processes.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ContenderError } from '../contenders/check.mjs';
import { startServer } from '../servers/start.mjs';
import { median } from '../statistics.mjs';
import { AUDIENCE, ISSUER, makeClaims, makeKey, signToken } from '../tokens.mjs';

const PROGRAM = fileURLToPath(new URL('../start/process.mjs', import.meta.url));
const KEY_ID = '0f8e3c52-6d1b-4c1a-9a57-000000000001';
const IMPORT_MS = 10;

/** @param {{ short: boolean }} options */
export async function run({ short }) {
  const kms = await startServer('kms.mjs', ['0']);
  const apps = { signing: signingApp(kms), verifying: verifyingApp() };
  const starts = { signing: [], verifying: [] };
  for (let round = 0; round < (short ? 1 : 9); round += 1) {
    for (const [kind, app] of Object.entries(apps)) starts[kind].push(await start(kind, app));
  }
  const scripts = {
    signing: await start('signing', apps.signing, '--scripts'),
    verifying: await start('verifying', apps.verifying, '--scripts'),
  };
  const rows = rowsOf(starts, scripts);
  const isMissed = rows.some((row) => row.at(-1).endsWith('missed'));
  const shares = isMissed ? await start('verifying', apps.verifying, '--profile') : undefined;
  await kms.close();
  return [
    {
      kind: 'list',
      id: 'start',
      title: 'Start',
      text: `Medians of ${starts.signing.length} fresh processes, in milliseconds. The import is timed after those of \`@nestjs/common\`, \`@nestjs/core\` and \`reflect-metadata\`. The app that signs has \`lazy: true\`, so the first key is a separate step, which calls a KMS that answers at once. AWS scripts are the files of \`@aws-sdk\` and \`@smithy\` that have been loaded by the end of the step.`,
      columns: [
        'step',
        'signs: ms',
        'signs: AWS scripts',
        'only verifies: ms',
        'only verifies: AWS scripts',
        'target',
      ],
      rows,
      profiles: shares ? [{ name: 'the import', shares }] : [],
    },
  ];
}

function signingApp({ port }) {
  const client = {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  };
  return { options: { keyId: KEY_ID, client, lazy: true } };
}

function verifyingApp() {
  const key = makeKey();
  const options = {
    jwks: { keys: [key.jwk] },
    lazy: true,
    verifyOptions: { issuer: ISSUER, audience: AUDIENCE },
  };
  return { options, token: signToken(key, makeClaims(0)) };
}

async function start(kind, app, ...flags) {
  const child = fork(PROGRAM, [kind, JSON.stringify(app), ...flags], { execArgv: [] });
  let steps;
  child.on('message', (message) => {
    steps = message;
  });
  const [code] = await once(child, 'exit');
  // A token that does not verify makes the process fail, too.
  if (code !== 0 || steps === undefined) throw new ContenderError(`An app that is ${kind} did not start`);
  return steps;
}

function rowsOf(starts, scripts) {
  return Object.keys(starts.signing[0]).map((step) => {
    const signs = medianOf(starts.signing, step);
    const verifies = medianOf(starts.verifying, step);
    const isVerifyingStep = step in scripts.verifying;
    return [
      step,
      signs,
      scripts.signing[step].scripts,
      isVerifyingStep ? verifies : '',
      isVerifyingStep ? scripts.verifying[step].scripts : '',
      step === 'import' ? importTarget(Math.max(signs, verifies)) : '',
    ];
  });
}

function medianOf(starts, step) {
  return median(starts.map((steps) => steps[step]?.milliseconds ?? 0));
}

function importTarget(milliseconds) {
  return `≤ ${IMPORT_MS} ms: ${milliseconds <= IMPORT_MS ? 'met' : 'missed'}`;
}

// Signing tokens, compared with an app that calls Sign without a library.
import { createHash, createPublicKey } from 'node:crypto';
import { KMSClient, SignCommand } from '@aws-sdk/client-kms';
import formatter from 'ecdsa-sig-formatter';
import { compare, CPU, P99, RATE } from '../comparison.mjs';
import { ContenderError } from '../contenders/check.mjs';
import { LIBRARY, startLibrary } from '../contenders/library.mjs';
import { rawVerifier } from '../contenders/raw.mjs';
import { startServer } from '../servers/start.mjs';
import { inLanes, percentiles, perSecond } from '../timing.mjs';
import { makeClaims } from '../tokens.mjs';

const BY_HAND = 'KMSClient by hand';
const OWN_CLIENT = `${LIBRARY}, its own client`;
const GIVEN_CLIENT = `${LIBRARY}, a KMSClient of the app`;
const SIGN_MS = 5;
const KEY_ID = '0f8e3c52-6d1b-4c1a-9a57-000000000001';

/** @param {{ short: boolean }} options */
export async function run({ short }) {
  const scale = short ? { rounds: 1, milliseconds: 300 } : { rounds: 7, milliseconds: 1500 };
  const kms = await startServer('kms.mjs', [String(SIGN_MS)]);
  const config = {
    endpoint: `http://127.0.0.1:${kms.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  };
  const clients = [new KMSClient(config), new KMSClient(config)];
  const own = await startLibrary({ keyId: KEY_ID, client: config });
  const given = await startLibrary({ keyId: KEY_ID, client: clients[1] });
  const signers = {
    [BY_HAND]: signerByHand(clients[0]),
    [OWN_CLIENT]: (claims) => own.jwt.sign(claims),
    [GIVEN_CLIENT]: (claims) => given.jwt.sign(claims),
  };
  await checkAll(signers, createPublicKey({ key: kms.jwk, format: 'jwk' }));
  // Without this, the first would include the time to compile the code of the SDK that all share.
  for (const sign of Object.values(signers)) await signInLanes(64, sign, scale.milliseconds / 2);

  const sections = [await sixtyFourAtATime(signers, scale), await oneAtATime(signers, scale)];
  await own.close();
  await given.close();
  for (const client of clients) client.destroy();
  await kms.close();
  return sections;
}

/** What an app without a library does: it does not verify the signature. */
function signerByHand(client) {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: KEY_ID })).toString('base64url');
  return async (claims) => {
    const input = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    const command = new SignCommand({
      KeyId: KEY_ID,
      SigningAlgorithm: 'ECDSA_SHA_256',
      MessageType: 'DIGEST',
      Message: createHash('sha256').update(input).digest(),
    });
    const { Signature } = await client.send(command);
    return `${input}.${formatter.derToJose(Buffer.from(Signature), 'ES256')}`;
  };
}

async function checkAll(signers, publicKey) {
  const verify = rawVerifier(publicKey);
  for (const [name, sign] of Object.entries(signers)) {
    if (!verify(await sign(makeClaims(0)))) throw new ContenderError(`The token of ${name} does not verify`);
  }
}

function sixtyFourAtATime(signers, { rounds, milliseconds }) {
  return compare({
    id: 'sign-64-at-a-time',
    title: '64 tokens at a time',
    text: `64 concurrent calls. KMS is a server in another process, whose Sign takes ${SIGN_MS} ms. CPU is the CPU time of the signing process for each token.`,
    metrics: [RATE, CPU, P99],
    rounds,
    contenders: Object.entries(signers).map(([name, sign]) => ({
      name,
      run: () => signInLanes(64, sign, milliseconds),
    })),
    targets: [
      { contender: OWN_CLIENT, metric: 'rate', atLeast: 1.25 },
      { contender: OWN_CLIENT, metric: 'cpu', atMost: 0.95 },
      { contender: GIVEN_CLIENT, metric: 'rate', atLeast: 0.95 },
      { contender: GIVEN_CLIENT, metric: 'cpu', atMost: 1.25 },
    ],
  });
}

function oneAtATime(signers, { rounds, milliseconds }) {
  return compare({
    id: 'sign-one-at-a-time',
    title: 'One token at a time',
    text: 'The same, with one call after the other.',
    metrics: [RATE, CPU, P99],
    rounds,
    contenders: Object.entries(signers).map(([name, sign]) => ({
      name,
      run: () => signInLanes(1, sign, milliseconds),
    })),
    targets: [OWN_CLIENT, GIVEN_CLIENT].flatMap((contender) => [
      { contender, metric: 'rate', atLeast: 0.99 },
      { contender, metric: 'p99', atMost: 1.05 },
    ]),
  });
}

/** @returns the rate, the CPU time for each token in microseconds, and the latencies */
async function signInLanes(concurrency, sign, milliseconds) {
  const latencies = [];
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  await inLanes(concurrency, claimsUntil(startedAt + milliseconds), async (claims) => {
    const calledAt = performance.now();
    await sign(claims);
    latencies.push(performance.now() - calledAt);
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    rate: perSecond(latencies.length, startedAt),
    cpu: (user + system) / latencies.length,
    ...percentiles(latencies),
  };
}

function* claimsUntil(end) {
  for (let index = 0; performance.now() < end; index += 1) yield makeClaims(index);
}

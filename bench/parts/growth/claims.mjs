import { checkContender, ContenderError, makeExamples } from '../../contenders/check.mjs';
import { LIBRARY, startLibrary } from '../../contenders/library.mjs';
import { rawVerifier } from '../../contenders/raw.mjs';
import { startServer } from '../../servers/start.mjs';
import { rateOneAtATime } from '../../timing.mjs';
import { makeClaims, makeKey, signToken } from '../../tokens.mjs';
import { measurePoints } from './points.mjs';

/** The sizes of the claims. The largest of these makes a token of nearly 16,384 characters, the default limit. */
const VERIFIED_BYTES = [100, 300, 1000, 3000, 12_000];
const SIGNED_BYTES = [100, 1000, 10_000, 100_000, 1_000_000];
const KEY_ID = '0f8e3c52-6d1b-4c1a-9a57-000000000001';

/** One token at a time, compared with `crypto.verify`. */
export async function longerClaims(short) {
  const key = makeKey();
  const library = await startLibrary({ jwks: { keys: [key.jwk] }, cache: false });
  const verify = (token) => library.jwt.verify(token);
  await checkContender(LIBRARY, verify, makeExamples(key));
  const verifyRaw = rawVerifier(key.publicKey);
  const points = VERIFIED_BYTES.map((bytes) => ({
    bytes,
    tokens: Array.from({ length: short ? 200 : 2000 }, (_, index) =>
      signToken(key, makeClaims(index, bytes)),
    ),
  }));
  const measure = async ({ tokens }) => ({
    'crypto.verify': microseconds(await rateOneAtATime(tokens, verifyRaw)),
    [LIBRARY]: microseconds(await rateOneAtATime(tokens, verify)),
  });
  const series = await measurePoints(points, short ? 1 : 5, measure, ({ bytes }) => bytes);
  await library.close();
  return {
    kind: 'curves',
    id: 'growth-claims-verified',
    title: 'Longer claims, verified',
    text: 'One token at a time, without the cache, in microseconds. The time of `crypto.verify` grows too, because it hashes the claims.',
    x: { title: 'bytes of claims', log: true },
    y: { title: 'µs for each token' },
    series,
  };
}

/** One token at a time, with a KMS that answers without delay. */
export async function longerSignedClaims(short) {
  const kms = await startServer('kms.mjs', ['0']);
  const library = await startLibrary({
    keyId: KEY_ID,
    client: {
      endpoint: `http://127.0.0.1:${kms.port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    },
    limits: { maxTokenLength: 2_000_000 },
  });
  const points = SIGNED_BYTES.map((bytes) => ({ bytes, claims: makeClaims(0, bytes) }));
  for (const { claims, bytes } of points) await checkSigned(library.jwt, claims, bytes);
  const measure = async ({ claims, bytes }) => {
    const calls = Array.from({ length: callsFor(bytes, short) }, () => claims);
    return { [LIBRARY]: microseconds(await rateOneAtATime(calls, (one) => library.jwt.sign(one))) / 1000 };
  };
  const series = await measurePoints(points, short ? 1 : 5, measure, ({ bytes }) => bytes);
  await library.close();
  await kms.close();
  return {
    kind: 'curves',
    id: 'growth-claims-signed',
    title: 'Longer claims, signed',
    text: 'One token at a time, in milliseconds, by a KMS in another process that answers at once. `limits.maxTokenLength` is raised, so that the tokens can be verified too.',
    x: { title: 'bytes of claims', log: true },
    y: { title: 'ms for each token', log: true },
    series,
  };
}

async function checkSigned(jwt, claims, bytes) {
  const { sub } = await jwt.verify(await jwt.sign(claims));
  if (sub !== claims.sub) throw new ContenderError(`A token with ${bytes} bytes of claims does not verify`);
}

function callsFor(bytes, short) {
  const calls = bytes >= 1_000_000 ? 20 : 200;
  return short ? calls / 10 : calls;
}

function microseconds({ rate }) {
  return 1e6 / rate;
}

import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { JwksKeySource } from '../../src/keys/jwks-key-source.js';
import { newKeyPair } from '../support/forge.js';
import { tokenOf, verify } from './token-verifier.support.js';

const TIMEOUT = 500;
const BLOCK = 3 * TIMEOUT;
const ANSWERED_AFTER = TIMEOUT / 5;

/** Answers in a separate thread, while the event loop of this one is blocked. */
const SERVER = `
const { createServer } = require('node:http');
const { parentPort, workerData } = require('node:worker_threads');
const { body, milliseconds } = workerData;
const server = createServer((_, response) => setTimeout(() => response.end(body), milliseconds));
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const keySet = { keys: [{ ...newKeyPair().publicKey.export({ format: 'jwk' }), kid: 'one' }] };

let server: Worker;
let url: string;

beforeAll(async () => {
  const workerData = { body: JSON.stringify(keySet), milliseconds: ANSWERED_AFTER };
  server = new Worker(SERVER, { eval: true, workerData });
  const [port] = (await once(server, 'message')) as [number];
  url = `http://127.0.0.1:${port}/jwks.json`;
});
afterAll(() => server.terminate());

const isRevoked = async () => !(await fetch(url)).ok;

/** Blocks the event loop once the request has been sent. */
async function block(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK);
}

describe('an answer that arrives while the event loop is blocked is read', () => {
  test('from the key set of the issuer', async () => {
    const settings = { timeout: TIMEOUT, refreshInterval: 300, maxStale: 864_000, algorithms: [ES256] };
    const loading = new JwksKeySource(url, settings).load();
    await block();
    expect((await loading).others).toHaveLength(1);
  });

  test('from isRevoked', async () => {
    const verifying = verify(tokenOf({ jti: 'a' }), {}, { isRevoked, timeout: TIMEOUT });
    await block();
    expect(await verifying).toMatchObject({ claims: { jti: 'a' } });
  });
});

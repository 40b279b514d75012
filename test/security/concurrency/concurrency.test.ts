import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signCallers } from './apps.js';
import { ledger, type Violation } from './ledger.js';
import { load, type Load } from './load.js';
import { SECONDS, SEED, USERS } from './run.js';
import type { TransportUnderLoad } from './transport.js';
import { graphql } from './transports/graphql.js';
import { grpc } from './transports/grpc.js';
import { http } from './transports/http.js';
import { sockets } from './transports/sockets.js';
import { tcp } from './transports/tcp.js';

const TRANSPORTS: readonly TransportUnderLoad[] = [...http, ...graphql, ...sockets, grpc, tcp];

const rejections: unknown[] = [];
const noteRejection = (reason: unknown) => void rejections.push(reason);
let done: Load;

beforeAll(
  async () => {
    process.on('unhandledRejection', noteRejection);
    console.log(`CONCURRENCY_SECONDS=${SECONDS} CONCURRENCY_SEED=${SEED}`);
    done = await load(TRANSPORTS, signCallers);
    console.log('served/refused/lost with their connection');
    console.table(ledger.tally.table());
    console.log({ seed: SEED, ...done, observations: ledger.observations });
  },
  SECONDS * 1000 + 120_000,
);

afterAll(() => void process.off('unhandledRejection', noteRejection));

describe('of all concurrent calls', () => {
  test.each<Violation>([
    'claims of another call',
    'admitted without claims',
    'claims without a token',
    'another user on the request',
    'no user on the request',
    'refused but served',
    'refused without a reason',
    'served without its handler',
    'connection ended without a reason',
    'unexpected answer',
  ])('there are none with the violation: %s', (violation) => {
    expect(ledger.violations.get(violation)).toBeUndefined();
  });

  test('each is finished without an unhandled rejection', () => {
    expect(ledger.pending).toBe(0);
    expect(rejections).toEqual([]);
  });

  test.each(['expiring', 'revoked'] as const)(
    'some are served before their token ends, and others refused after it: %s',
    (kind) => {
      const { served, refused } = ledger.tally.total(kind);
      expect(served).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(0);
    },
  );

  test.each(TRANSPORTS.flatMap(({ names }) => names))(
    'there are enough of each kind over %s',
    (transport) => {
      expect(ledger.tally.missing(transport, SECONDS)).toEqual([]);
    },
  );

  test('there are 20 connections for each user, and none at the end', async () => {
    expect(done.connections).toBe(USERS * 20);
    await expect.poll(openSockets).toEqual([]);
  });
});

function openSockets(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));
}

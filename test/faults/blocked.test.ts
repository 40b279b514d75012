import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Kms } from './kms.js';
import { leaksIn } from './leaks.js';
import { countsOf, load, login, statusesOf, tokenOf, tokensOf, untilLoginsWork } from './load.js';
import { Proxy } from './proxy.js';
import { startService, stopServices } from './service.js';
import { describeAnswers } from './table.js';

const SECONDS = Number(process.env['FAULT_SECONDS'] ?? 30);
const RATE = 200;

/** In milliseconds; longer than the default `limits.timeout` of the service and the keep-alive timeout of HAProxy. */
const BLOCK = 5000;
/** The latency of KMS, in milliseconds: with 50 concurrent calls more than the load needs. */
const LATENCY = 100;
/** The number of logins at once before the block: `maxConcurrency` of them are in flight, the others queued. */
const BURST = 200;
/** The default `limits.timeout`, extended once, and 10 %, in milliseconds. */
const DEADLINE = 2 * 3000 * 1.1;
/** The limit on the time until logins work again, in milliseconds. */
const RECOVERY = 5000;

let directory: string;
let kms: Kms;
let proxy: Proxy;
let service: Awaited<ReturnType<typeof startService>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blocked-'));
  kms = new Kms(join(directory, 'keys.json'));
  proxy = new Proxy(directory);
  await kms.start();
  await proxy.start(kms.port);
  service = await startService(proxy.url);
  await kms.setFault({ kind: 'delay', milliseconds: LATENCY });
});

afterAll(async () => {
  await stopServices();
  await proxy.stop();
  await kms.kill();
  await rm(directory, { recursive: true });
});

describe('logins in flight and in the queue are answered 200, and the circuit stays closed', () => {
  test.for([
    ['while the event loop is blocked', () => service.block(BLOCK)],
    ['while the process is stopped', () => service.freeze(BLOCK)],
  ] as const)('%s', async ([name, block]) => {
    const goodTokens = [tokenOf(await login(service.url, 0)), tokenOf(await login(service.url, 1))];
    await load(service.url, goodTokens, RATE, 3);
    const logged = service.logged().length;
    const starvedBefore = await service.starved();

    const loading = load(service.url, goodTokens, RATE, SECONDS);
    await setTimeout((SECONDS * 1000) / 5);
    const burst = Promise.all(Array.from({ length: BURST }, (_, count) => login(service.url, count)));
    // By then most of them have arrived, and the first are answered.
    await setTimeout(1.5 * LATENCY);
    const blockedAt = performance.now();
    await block();
    const { answers, late } = await loading;
    answers.push(...(await burst));
    const recovery = await untilLoginsWork(service.url, RECOVERY);
    const starved = (await service.starved()) - starvedBefore;

    const before = answers.filter(({ sentAt }) => sentAt < blockedAt);
    const caught = before.filter(({ sentAt, milliseconds }) => sentAt + milliseconds > blockedAt);
    const later = answers.filter(({ sentAt }) => sentAt >= blockedAt);
    const news = service.logged().slice(logged);
    console.log(`${name}:`, { ...describeAnswers(answers), late, starved, recovery });
    console.log('in flight', countsOf(caught), 'later', countsOf(later));

    expect.soft(caught.length).toBeGreaterThan(BURST / 2);
    expect.soft(statusesOf(before)).toEqual(['200']);
    // After a block the HTTP server of Node.js closes idle connections, even those on which requests have arrived.
    const possible = ['200', '503 with Retry-After', 'ECONNRESET'];
    expect.soft(possible).toEqual(expect.arrayContaining(statusesOf(later)));
    const slowest = Math.max(...answers.map(({ milliseconds }) => milliseconds));
    expect.soft(slowest).toBeLessThan(BLOCK + DEADLINE + late + starved);
    expect.soft(recovery).toBeLessThan(RECOVERY);
    // The requests that arrived during the block are handled all at once, and may fill the queue.
    const lines = news.split('\n').filter((line) => line.trim() !== '');
    const others = lines.filter((line) => !/this process was blocked for|maxConcurrency/.test(line));
    expect.soft(others).toEqual([]);
    expect.soft(leaksIn(news, [...goodTokens, ...tokensOf(answers)])).toEqual([]);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Kms } from './kms.js';
import { leaksIn } from './leaks.js';
import { load, login, statusesOf, tokenOf, tokensOf, untilLoginsWork } from './load.js';
import { startService, stopServices } from './service.js';
import { Sts } from './sts.js';
import { describeAnswers, millisecondsOf, percentile } from './table.js';

const SECONDS = Number(process.env['FAULT_SECONDS'] ?? 30);
const RATE = 200;

/** The default `limits.timeout` of the service and 10 %, in milliseconds. */
const DEADLINE = 3000 * 1.1;
/** The timeout of the last request to a silent STS, plus the time until the circuit probes KMS, in milliseconds. */
const RECOVERY = DEADLINE + 2000;
/** The limit on the 99th percentile of verifications, in milliseconds. */
const FAST = 100;
/** The limit on the requests to STS per second. */
const STS_RATE = 2;

const sts = new Sts();
let directory: string;
let kms: Kms;
let service: Awaited<ReturnType<typeof startService>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'credentials-'));
  const tokenFile = join(directory, 'web-identity-token');
  await writeFile(tokenFile, 'the-web-identity-token');
  kms = new Kms(join(directory, 'keys.json'));
  await kms.start();
  await sts.start();
  service = await startService(`http://127.0.0.1:${kms.port}`, {
    AWS_ROLE_ARN: 'arn:aws:iam::111122223333:role/service',
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ENDPOINT_URL_STS: sts.url,
  });
});

afterAll(async () => {
  await stopServices();
  await kms.kill();
  sts.stop();
  await rm(directory, { recursive: true });
});

test('logins are answered 503 in time while credentials have expired and STS does not answer, and 200 once it does', async () => {
  const goodTokens = [tokenOf(await login(service.url, 0)), tokenOf(await login(service.url, 1))];

  const loading = load(service.url, goodTokens, RATE, SECONDS);
  await setTimeout((SECONDS * 1000) / 5);
  sts.isSilent = true;
  const before = { requests: sts.requests, starved: await service.starved() };
  await setTimeout((SECONDS * 1000 * 2) / 5);
  sts.isSilent = false;
  sts.lifetime = 3_600_000;
  const wellAt = performance.now();
  const { answers, late } = await loading;
  const again = await untilLoginsWork(service.url, RECOVERY);

  const logins = answers.filter(({ route }) => route === 'sign');
  const refused = logins.filter(({ status }) => status !== 200);
  const recovery = Math.max(0, ...refused.map(({ sentAt }) => sentAt - wellAt));
  const requests = sts.requests - before.requests;
  const starved = (await service.starved()) - before.starved;
  console.log('STS silent:', { ...describeAnswers(answers), late, starved, recovery, again, requests });

  expect.soft(statusesOf(logins)).toEqual(['200', '503 with Retry-After']);
  expect.soft(Math.max(...answers.map(({ milliseconds }) => milliseconds))).toBeLessThan(DEADLINE + late);
  expect.soft(statusesOf(answers.filter(({ route }) => route === 'verify'))).toEqual(['200']);
  expect.soft(percentile(millisecondsOf(answers, 'verify'), 99)).toBeLessThan(FAST + late + starved);
  expect.soft(recovery).toBeLessThan(RECOVERY);
  expect.soft(again).toBeLessThan(RECOVERY);
  expect.soft(requests).toBeLessThan(SECONDS * STS_RATE);
  expect.soft(service.logged()).toMatch(/No request was sent for Sign .*credentials/);
  const tokens = [...goodTokens, ...tokensOf(answers), 'the-web-identity-token'];
  expect.soft(leaksIn(service.logged(), tokens)).toEqual([]);
});

import { Agent, request } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';

const TICK = 10;

const USERS = [
  { username: 'ada', password: 'lovelace' },
  { username: 'bob', password: 'builder' },
];

export interface Answer {
  route: 'sign' | 'verify';
  /** When the request was sent, as performance.now(). */
  sentAt: number;
  milliseconds: number;
  /** The HTTP status, or the error code of the connection. */
  status: number | string;
  /** As text, to search it for secrets. */
  headers: string;
  retryAfter: string | undefined;
  body: string;
}

export interface Load {
  answers: Answer[];
  /** By how many milliseconds this process may have noticed an answer too late. */
  late: number;
}

/**
 * Sends `rate` requests a second, half of them logins and half of them with a token, each at its time, whether or not the earlier
 * ones are answered.
 *
 * @param tokens valid tokens
 */
export async function load(
  url: string,
  tokens: readonly string[],
  rate: number,
  seconds: number,
): Promise<Load> {
  const agent = new Agent({ keepAlive: true });
  const delay = monitorEventLoopDelay({ resolution: TICK });
  delay.enable();
  const answers: Promise<Answer>[] = [];
  const started = performance.now();
  while (answers.length < rate * seconds) {
    const due = Math.min(rate * seconds, ((performance.now() - started) / 1000) * rate);
    while (answers.length < due) {
      const count = answers.length >> 1;
      const token = tokens[count % tokens.length] ?? '';
      answers.push(answers.length % 2 === 0 ? login(url, count, agent) : me(url, token, agent));
    }
    await setTimeout(TICK);
  }
  const received = await Promise.all(answers);
  agent.destroy();
  delay.disable();
  return { answers: received, late: delay.max / 1e6 };
}

export function login(url: string, count: number, agent?: Agent): Promise<Answer> {
  const user = USERS[count % USERS.length];
  const headers = { 'content-type': 'application/json' };
  return ask('sign', `${url}/auth/login`, { method: 'POST', headers, agent }, JSON.stringify(user));
}

/** The token in the answer to a login. */
export function tokenOf({ body }: Answer): string {
  return (JSON.parse(body) as { access_token: string }).access_token;
}

export function tokensOf(answers: readonly Answer[]): string[] {
  return answers.filter(({ route, status }) => route === 'sign' && status === 200).map(tokenOf);
}

export function statusesOf(answers: readonly Answer[]): string[] {
  return Object.keys(countsOf(answers)).toSorted();
}

export function countsOf(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, retryAfter } of answers) {
    const outcome = retryAfter === undefined ? String(status) : `${status} with Retry-After`;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Milliseconds until the first of ten successful logins in a row; Infinity if there are none within twice the limit. */
export async function untilLoginsWork(url: string, limit: number): Promise<number> {
  const started = performance.now();
  let row: Answer[] = [];
  while (row.length < 10) {
    const answer = await login(url, row.length);
    row = answer.status === 200 ? [...row, answer] : [];
    if (answer.sentAt - started > 2 * limit) return Infinity;
    await setTimeout(20);
  }
  return (row[0]?.sentAt ?? Infinity) - started;
}

function me(url: string, token: string, agent: Agent): Promise<Answer> {
  return ask('verify', `${url}/me`, { method: 'GET', headers: { authorization: `Bearer ${token}` }, agent });
}

function ask(
  route: Answer['route'],
  url: string,
  options: { method: string; headers: Record<string, string>; agent: Agent | undefined },
  body = '',
): Promise<Answer> {
  const sentAt = performance.now();
  const answer = (status: number | string, headers = '', retryAfter?: string, received = ''): Answer => {
    const milliseconds = performance.now() - sentAt;
    return { route, sentAt, milliseconds, status, headers, retryAfter, body: received };
  };
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(answer(error.code ?? error.name));
    request(url, options, (response) => {
      text(response).then((received) => {
        const { statusCode, rawHeaders, headers } = response;
        resolve(answer(statusCode ?? 0, rawHeaders.join('\n'), headers['retry-after'], received));
      }, failed);
    })
      .on('error', failed)
      .end(body);
  });
}

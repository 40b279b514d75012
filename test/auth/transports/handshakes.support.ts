import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { Provider, Type } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  guardHandshakes,
  type HandshakeOptions,
  KmsJwtGuard,
  type KmsJwtModuleOptions,
} from 'nestjs-kms-jwt';
import { io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import { afterEach, beforeEach, expect, onTestFinished } from 'vitest';
import { watchRejections } from '../../transports/rejections.js';
import { startApp } from '../support.js';

export const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The ways to open a connection. */
export const WAYS = ['ws', 'socket.io by websocket', 'socket.io by polling'] as const;
export type Way = (typeof WAYS)[number];

type Headers = Record<string, string | string[]>;

export interface Guarded {
  /** Options of `guardHandshakes`. */
  handshakes?: HandshakeOptions;
  module?: Partial<KmsJwtModuleOptions>;
  guard?: Type<KmsJwtGuard>;
  providers?: Provider[];
}

/** An app whose adapter verifies handshakes. */
export function startGuarded(
  way: Way | 'socket.io',
  gateways: Type[],
  { handshakes, module = {}, guard = KmsJwtGuard, providers = [] }: Guarded = {},
) {
  return startApp({
    providers: [...new Set([KmsJwtGuard, guard]), ...gateways, ...providers],
    options: module,
    prepare(app) {
      const adapter = way === 'ws' ? new WsAdapter(app) : new IoAdapter(app);
      app.useWebSocketAdapter(guardHandshakes(adapter, app.get(guard), handshakes));
    },
  });
}

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  'sec-websocket-version': '13',
};

/** The request of a handshake, before it is sent. */
export function handshakeOf(way: Way, url: string, headers: Headers = {}, method = 'GET') {
  const isPolling = way === 'socket.io by polling';
  const target = new URL(url);
  if (way !== 'ws') {
    target.pathname = '/socket.io/';
    target.searchParams.set('EIO', '4');
    target.searchParams.set('transport', isPolling ? 'polling' : 'websocket');
  }
  return httpRequest(target, { method, headers: { ...(!isPolling && UPGRADE), ...headers } });
}

/** Sends a handshake, and returns the parts of the answer that differ between refusals. */
export async function handshake(way: Way, url: string, headers?: Headers, method?: string) {
  const request = handshakeOf(way, url, headers, method).end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
    request.on('upgrade', (upgraded, socket) => {
      socket.destroy();
      resolve(upgraded);
    });
  });
  const { statusCode: status } = response;
  if (status === 101 || (way.endsWith('polling') && status === 200)) return { status: 'admitted' };
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  const names = ['www-authenticate', 'retry-after', 'access-control-allow-origin'];
  const known = names.filter((name) => response.headers[name] !== undefined);
  return {
    status,
    ...Object.fromEntries(known.map((name) => [name, response.headers[name]])),
    ...(body.startsWith('{') ? { body: JSON.parse(body) as object } : { text: body }),
  };
}

/** Opens a socket.io connection, until the end of the test. */
export function connect(url: string, options: Partial<ManagerOptions & SocketOptions>) {
  const socket = io(url, { reconnection: false, forceNew: true, ...options });
  onTestFinished(() => void socket.close());
  return socket;
}

/** For the top of a test file: no test may cause an unhandled rejection or an uncaught exception. */
export function expectNoFailures(): void {
  let failures: unknown[];
  const add = (error: unknown) => void failures.push(error);
  beforeEach(() => {
    failures = watchRejections();
    process.on('uncaughtException', add);
  });
  afterEach(() => {
    process.off('uncaughtException', add);
    expect(failures).toEqual([]);
  });
}

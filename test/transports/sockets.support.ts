import type { Provider } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { fromHeader, KmsJwtGuard, KmsJwtModule, type KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { onTestFinished } from 'vitest';
import { startApp } from '../auth/support.js';
import { socketIoClient, wsClient } from './websocket.js';

export async function startSockets(
  kind: 'socket.io' | 'ws',
  providers: Provider[],
  options: Partial<KmsJwtModuleOptions> = {},
) {
  const internal = KmsJwtModule.forRoot({
    name: 'internal',
    keyId: 'alias/internal',
    client: new LocalKms({ keys: [{ alias: 'internal' }] }).client(),
    guard: { tokenFrom: fromHeader('x-internal') },
  });
  return startApp({
    imports: [internal],
    providers: [KmsJwtGuard, ...providers],
    options,
    prepare: (app) => app.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(app) : new IoAdapter(app)),
  });
}

export function visitSocketIo(...args: Parameters<typeof socketIoClient>) {
  const client = socketIoClient(...args);
  onTestFinished(() => client.leave());
  return client;
}

export function visitWs(...args: Parameters<typeof wsClient>) {
  const client = wsClient(...args);
  onTestFinished(() => client.leave());
  return client;
}

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { ExecutionContext } from '@nestjs/common';
import { type RawResponse, rawResponseOf } from './http-response.js';
import type { OpenConnection } from './transport.js';

/** The key of the metadata that `@Sse()` sets. */
const SSE = '__sse__';
/** How long the client may take to read the end of the stream. */
const CLOSE_TIMEOUT_MS = 1000;

/** Whether handlers have `@Sse()`: decorators do not change after start. */
const streaming = new WeakMap<object, boolean>();

/** The streams that Nest pipes into responses. */
const sources = new WeakMap<RawResponse, Readable>();

/** The stream of a handler with `@Sse()`; undefined for others: a download is not cut off. */
export function eventStreamOf(context: ExecutionContext): OpenConnection | undefined {
  if (!isEventStream(context.getHandler())) return undefined;
  const raw = rawResponseOf(context);
  return {
    key: raw,
    hasCalls: false,
    isClosed: raw.destroyed,
    end: () => end(raw, socketOf(context)),
    onClosed(listener) {
      raw.once('pipe', (source: Readable) => sources.set(raw, source));
      raw.once('close', listener);
    },
  };
}

function isEventStream(handler: object): boolean {
  const known = streaming.get(handler);
  if (known !== undefined) return known;
  const isStreaming = Reflect.hasMetadata(SSE, handler);
  streaming.set(handler, isStreaming);
  return isStreaming;
}

/** The socket of the request: a response has none after its end, nor while it waits for the response to an earlier pipelined request. */
function socketOf(context: ExecutionContext): Socket {
  return context.switchToHttp().getRequest<IncomingMessage>().socket;
}

/** Nest stops the producer only when the socket, or the HTTP/2 stream, is closed: ending the response is not enough. */
function end(response: RawResponse, socket: Socket): void {
  const close = () => ('stream' in response ? response.stream.close() : socket.destroy());
  // A write after the end would be an unhandled error, and the producer may still emit.
  sources.get(response)?.unpipe(response);
  response.once('finish', close);
  // Without a callback: middleware that wraps `end` may take it for a chunk.
  response.end();
  setTimeout(close, CLOSE_TIMEOUT_MS).unref();
}

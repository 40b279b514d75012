import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { ArgumentsHost } from '@nestjs/common';

export type RawResponse = ServerResponse | Http2ServerResponse;

/** Node's response, which Fastify's reply has as `raw`. */
export function rawResponseOf(host: ArgumentsHost): RawResponse {
  const response = host.switchToHttp().getResponse<RawResponse & { raw?: RawResponse }>();
  return response.raw ?? response;
}

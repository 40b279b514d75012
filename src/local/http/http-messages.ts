import { randomUUID } from 'node:crypto';
import type { Output } from '../operations/output.js';
import type { KmsError } from '../store/kms-error.js';

/** A request over HTTP, however it came. Names of headers are in lower case. */
export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/** A response over HTTP, whichever way it goes. */
export interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** The answer of an operation that succeeded. */
export function success(output: Output): HttpResponse {
  return respond(200, 'application/x-amz-json-1.1', output === undefined ? '' : JSON.stringify(output));
}

/** The answer of an operation that failed. */
export function failure({ name, message, statusCode }: KmsError): HttpResponse {
  // AWS writes it with a capital for this one alone.
  const member = name === 'AccessDeniedException' ? 'Message' : 'message';
  return respond(
    statusCode,
    'application/x-amz-json-1.1',
    JSON.stringify({ __type: name, [member]: message }),
  );
}

/** What a proxy on the way answers when KMS is away. */
export function proxyFailure(): HttpResponse {
  return respond(
    503,
    'text/html',
    '<html><head><title>503 Service Unavailable</title></head><body><h1>503 Service Unavailable</h1></body></html>\n',
  );
}

function respond(statusCode: number, contentType: string, text: string): HttpResponse {
  const body = Buffer.from(text);
  const headers = {
    'x-amzn-requestid': randomUUID(),
    'content-type': contentType,
    'content-length': String(body.length),
  };
  return { statusCode, headers, body };
}

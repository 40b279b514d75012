import { randomUUID } from 'node:crypto';
import type { Output } from '../operations/output.js';
import type { KmsError } from '../store/kms-error.js';

/** An HTTP request, from the network or from a client in this process. Header names are in lower case. */
export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/** An HTTP response, to the network or to a client in this process. */
export interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** The response of an operation that succeeded. */
export function success(output: Output): HttpResponse {
  return respond(200, 'application/x-amz-json-1.1', output === undefined ? '' : JSON.stringify(output));
}

/** The response of an operation that failed. */
export function failure({ name, message, statusCode }: KmsError): HttpResponse {
  // AWS capitalizes the member for this exception only.
  const member = name === 'AccessDeniedException' ? 'Message' : 'message';
  return respond(
    statusCode,
    'application/x-amz-json-1.1',
    JSON.stringify({ __type: name, [member]: message }),
  );
}

/** The response of a proxy that cannot reach KMS. */
export function proxyFailure(): HttpResponse {
  return respond(
    503,
    'text/html',
    '<html><head><title>503 Service Unavailable</title></head><body><h1>503 Service Unavailable</h1></body></html>\n',
  );
}

function respond(statusCode: number, contentType: string, content: string): HttpResponse {
  const body = Buffer.from(content);
  const headers = {
    'x-amzn-requestid': randomUUID(),
    'content-type': contentType,
    'content-length': String(body.length),
  };
  return { statusCode, headers, body };
}

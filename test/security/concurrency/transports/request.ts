import { type Agent, request as httpRequest } from 'node:http';

export interface Response {
  status: number;
  body: unknown;
}

/** With the client of Node.js, because its agent can limit a client to one connection. */
export function request(
  agent: Agent,
  url: string,
  headers: Record<string, string>,
  body?: object,
): Promise<Response> {
  const content = body && { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, {
      agent,
      method: body ? 'POST' : 'GET',
      headers: { ...headers, ...content },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
      );
    });
    sent.end(body && JSON.stringify(body));
  });
}

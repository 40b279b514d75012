import { LocalKms, type LocalKmsKey, type LocalKmsServer } from 'nestjs-kms-jwt/local';
import { afterAll } from 'vitest';

/** The headers of a valid request. */
export const HEADERS = {
  'content-type': 'application/x-amz-json-1.1',
  'x-amz-target': 'TrentService.ListKeys',
};

interface Listening {
  localKms: LocalKms;
  key: LocalKmsKey;
  server: LocalKmsServer;
  /** Posts a body; `more` overrides the headers. */
  post: (
    body: string | Uint8Array<ArrayBuffer>,
    more?: Record<string, string>,
  ) => Promise<{ status: number; headers: Headers; body: string }>;
}

/** A LocalKms with one key, `alias/auth`, that listens until the tests of the file are over. */
export async function listen(): Promise<Listening> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const server = await localKms.listen();
  afterAll(() => server.close());
  return {
    localKms,
    key: localKms.keys[0]!,
    server,
    async post(body, more) {
      const response = await fetch(server.url, { method: 'POST', headers: { ...HEADERS, ...more }, body });
      return { status: response.status, headers: response.headers, body: await response.text() };
    },
  };
}

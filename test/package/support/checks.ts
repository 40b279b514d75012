import { expect, it } from 'vitest';
import type { App, RunningApp } from './app.js';

/** One value of each entry point. */
const EXPORTS: Record<string, string> = {
  'nestjs-kms-jwt': 'KmsJwtService',
  'nestjs-kms-jwt/local': 'LocalKms',
  'nestjs-kms-jwt/testing': 'fakeClaims',
};

/** The tests of every app that is compiled and run as by its users. */
export function itWorksUnderNode(app: () => App): void {
  it('issues a token, and refuses requests without it, with plain node', async () => {
    const running = await app().start();
    try {
      await expectGuardedRoute(running);
      // Node.js could warn of ESM loaded with require, and the SDK of the answers of LocalKms.
      expect(running.output()).not.toMatch(/ExperimentalWarning| WARN/);
    } finally {
      await running.stop();
    }
  });

  it.each(Object.keys(EXPORTS))('gets the same exports of %s with import and require', async (entry) => {
    const script = `
        import { createRequire } from 'node:module';
        const imported = await import('${entry}');
        const required = createRequire(import.meta.url)('${entry}');
        const names = Object.keys(imported);
        console.log(JSON.stringify(names.map((name) => [name, imported[name] === required[name]])));
      `;
    const exports = JSON.parse(await app().run('node', '--input-type=module', '--eval', script));
    expect(exports).toContainEqual([EXPORTS[entry], true]);
    expect(exports).not.toContainEqual([expect.any(String), false]);
  });
}

/** Logs in, and compares the answers with and without the token. */
export async function expectGuardedRoute({ url }: RunningApp): Promise<void> {
  const login = await fetch(`${url}/auth/login`, { method: 'POST' });
  expect(login.status).toBe(201);
  const { accessToken } = (await login.json()) as { accessToken: string };

  const me = await fetch(`${url}/auth/me`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  expect(me.status).toBe(200);
  expect(await me.json()).toMatchObject({ sub: 'user-42', exp: expect.any(Number) });

  const withoutToken = await fetch(`${url}/auth/me`);
  expect(withoutToken.status).toBe(401);
  expect(withoutToken.headers.get('www-authenticate')).toBe('Bearer');
}

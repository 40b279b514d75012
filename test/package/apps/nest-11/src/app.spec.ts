import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppModule } from './app.module';

describe('the app', () => {
  let app: INestApplication;
  let url: string;

  beforeAll(async () => {
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestApplication();
    await app.listen(0);
    url = await app.getUrl();
  });

  afterAll(() => app.close());

  const login = () => fetch(`${url}/auth/login`, { method: 'POST' });

  it('issues a token', async () => {
    const answer = await login();
    expect(answer.status).toBe(201);
  });

  it('accepts the token', async () => {
    const { accessToken } = (await (await login()).json()) as { accessToken: string };
    const answer = await fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${accessToken}` } });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ sub: 'user-42' });
  });

  it('refuses a request without a token', async () => {
    const answer = await fetch(`${url}/auth/me`);
    expect(answer.status).toBe(401);
  });
});

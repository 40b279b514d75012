import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { KmsUnavailableError } from 'nestjs-kms-jwt';
import { afterEach, expect, test } from 'vitest';
import { load } from './load.js';

@Controller()
class FailingController {
  @Get('unavailable') unavailable() {
    throw new KmsUnavailableError('timeout', 'KMS did not answer');
  }
  @Get('bug') bug() {
    throw new TypeError('It quotes a secret');
  }
}

const ignore = () => undefined;
let app: INestApplication;
afterEach(() => app.close());

test.each(['src/filters.module.js', 'src/catch-all.filter.js'])(
  'an app with %s answers 503, and logs why',
  async (file) => {
    const lines: string[] = [];
    const logger = { log: ignore, warn: ignore, error: (line: unknown) => lines.push(String(line)) };
    const { FiltersModule, CatchAllFilter } = await load(file);
    const imports = FiltersModule ? [FiltersModule] : [];
    const providers = CatchAllFilter ? [{ provide: APP_FILTER, useClass: CatchAllFilter }] : [];
    @Module({ imports, controllers: [FailingController], providers })
    class AppModule {}
    app = await NestFactory.create(AppModule, { logger });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const unavailable = await fetch(`${url}/unavailable`);
    expect(unavailable.headers.get('retry-after')).toBe('1');
    expect(await unavailable.json()).toMatchObject({ statusCode: 503, errorCode: 'kms_unavailable' });
    const bug = await fetch(`${url}/bug`);
    expect(bug.status).toBe(500);
    expect(await bug.text()).not.toContain('secret');
    expect(lines).toEqual([
      expect.stringContaining('KmsUnavailableError'),
      expect.stringContaining('TypeError'),
    ]);
  },
);

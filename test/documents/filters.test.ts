import { Controller, Get, Logger, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { KmsUnavailableError } from 'nestjs-kms-jwt';
import { expect, onTestFinished, test, vi } from 'vitest';
import { compile } from './support.js';

const { load } = await compile('filters');

@Controller()
class FailingController {
  @Get('away') away() {
    throw new KmsUnavailableError('timeout', 'KMS did not answer');
  }
  @Get('bug') bug() {
    throw new TypeError('It quotes a secret');
  }
}

test.each(['src/filters.module.js', 'src/catch-all.filter.js'])(
  'an app with %s answers 503, and logs why',
  async (file) => {
    const logged = vi.spyOn(Logger.prototype, 'error').mockReturnValue();
    onTestFinished(() => logged.mockRestore());
    const { FiltersModule, CatchAllFilter } = await load(file);
    const imports = FiltersModule ? [FiltersModule] : [];
    const providers = CatchAllFilter ? [{ provide: APP_FILTER, useClass: CatchAllFilter }] : [];
    @Module({ imports, controllers: [FailingController], providers })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false });
    onTestFinished(() => app.close());
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const away = await fetch(`${url}/away`);
    expect(away.headers.get('retry-after')).toBe('1');
    expect(await away.json()).toMatchObject({ statusCode: 503, errorCode: 'kms_unavailable' });
    const bug = await fetch(`${url}/bug`);
    expect(bug.status).toBe(500);
    expect(await bug.text()).not.toContain('secret');
    const lines = logged.mock.calls.map(([line]) => String(line));
    expect(lines).toEqual([
      expect.stringContaining('KmsUnavailableError'),
      expect.stringContaining('TypeError'),
    ]);
  },
);

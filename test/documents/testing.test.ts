import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { KmsUnavailableError } from 'nestjs-kms-jwt';
import { expect, onTestFinished, test } from 'vitest';
import { blocksOf, compile, environment, exec, fileOf, ROOT, useKms } from './readme.support.js';

const blocks = await blocksOf('docs/testing.md');
const { compiled, load } = await compile('testing', blocks);
useKms({ alias: 'auth' });

test('every code block of docs/testing.md is run by a test', () => {
  expect(blocks.map((one) => fileOf(one) ?? one.language)).toEqual([
    'src/orders.controller.ts',
    'src/app.module.ts',
    'test/orders.controller.test.ts',
    'test/orders.routes.test.ts',
    'test/app.e2e.test.ts',
    'json', // test/package/nest-11.test.ts
    'src/filters.module.ts',
    'src/catch-all.filter.ts',
  ]);
});

test('the recipes pass under Vitest', async () => {
  // A config of its own, or vitest would take this project's.
  await writeFile(join(compiled, 'vitest.config.mjs'), 'export default {};\n');
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await exec(process.execPath, [vitest, 'run', '--root', compiled], {
    env: { ...environment(), NO_COLOR: '1' },
  });
  expect(stdout).toMatch(/Tests {2}6 passed/);
}, 60_000);

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
  'an app with %s answers 503',
  async (file) => {
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
  },
);

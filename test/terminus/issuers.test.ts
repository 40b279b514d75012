import { KmsJwtHealthIndicator } from 'nestjs-kms-jwt/terminus';
import { expect, test } from 'vitest';
import { start, startService } from '../service/issuers.support.js';
import { startIssuer } from '../support/issuer.js';

const down = (_: unknown, response: { writeHead(status: number): { end(): unknown } }) =>
  void response.writeHead(500).end();
type Started = Awaited<ReturnType<typeof start>>;
const reportOf = ({ jwt }: Started) => new KmsJwtHealthIndicator(jwt).isHealthy()['kms-jwt'];

test('lists each issuer by its name, or by its iss if it has no name', async () => {
  const [corp, partner] = [await startIssuer(), await startIssuer('b')];
  const service = await startService({ issuers: [corp.record({ name: 'corp' }), partner.record()] });
  await service.jwt.verify(corp.token());
  await service.jwt.verify(partner.token({}, { kid: 'b' }));
  expect(reportOf(service)).toMatchObject({
    status: 'up',
    degraded: false,
    issuers: {
      corp: { keys: ['a'], refresh: 'ok', stale: false, staleIn: 86_400 },
      [partner.url]: { keys: ['b'], refresh: 'ok', stale: false, staleIn: 86_400 },
    },
  });
});

test('reports up and degraded while one of two issuers is down', async () => {
  const [corp, dead] = [await startIssuer(), await startIssuer()];
  dead.fault = down;
  const service = await startService({
    issuers: [corp.record({ name: 'corp' }), dead.record({ name: 'dead' })],
  });
  await expect.poll(() => reportOf(service).issuers?.['dead']).toMatchObject({ keys: [], refresh: 'failed' });
  expect(reportOf(service)).toMatchObject({
    status: 'up',
    degraded: true,
    issuers: { corp: { refresh: 'ok' } },
  });
});

test('reports a service without its own key as down until one issuer has keys', async () => {
  const corp = await startIssuer();
  const service = await start({ issuers: [corp.record({ name: 'corp' })], lazy: true });
  expect(reportOf(service)).toMatchObject({ status: 'down', keys: [], issuers: { corp: { keys: [] } } });
  await service.jwt.verify(corp.token());
  expect(reportOf(service)).toMatchObject({ status: 'up', degraded: false });
});

test('reports up and lists no issuers if a function finds them and the service has no key of its own', async () => {
  const [corp, dead] = [await startIssuer(), await startIssuer()];
  dead.fault = down;
  const records = [corp.record(), dead.record()];
  const service = await start({ issuers: async (iss) => records.find(({ issuer }) => issuer === iss) });
  const healthy = { status: 'up', degraded: false };
  expect(reportOf(service)).toMatchObject(healthy);
  await service.jwt.verify(corp.token());
  await expect(service.jwt.verify(dead.token())).rejects.toMatchObject({ name: 'JwksUnavailableError' });
  expect(reportOf(service)).toMatchObject(healthy);
  expect(reportOf(service)).not.toHaveProperty('issuers');
  expect(service.jwt.health()).toMatchObject({
    issuersAreFound: true,
    issuers: { [corp.url]: { keys: ['a'] }, [dead.url]: { keys: [] } },
  });
});

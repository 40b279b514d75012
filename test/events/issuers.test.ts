import { describe, expect, test } from 'vitest';
import { describeEvent } from '../../src/events/kms-jwt.events.js';
import { start, startService } from '../service/issuers.support.js';
import { startIssuer } from '../support/issuer.js';

describe('an event about the keys of an issuer', () => {
  test('has the name of the issuer, as has its log line; an event about own keys has none', async () => {
    const corp = await startIssuer();
    const { jwt, events, lines } = await startService({ issuers: [corp.record({ name: 'corp' })] });
    await jwt.verify(corp.token());
    expect(events).toContainEqual({ type: 'key_published', kid: 'a', issuer: 'corp' });
    expect(lines).toContain('Issuer corp: The key a is published and verifies tokens');
    const [own] = jwt.health().keys;
    expect(events).toContainEqual({ type: 'key_activated', kid: own });
    expect(lines).toContain(`The key ${own} is published and verifies tokens`);
  });

  test('has a name without control characters in the log, which cannot forge a line', () => {
    const event = { type: 'refresh_recovered', issuer: 'corp\nIssuer evil' } as const;
    expect(describeEvent(event)).toBe('Issuer corp?Issuer?evil: The keys are up to date again');
  });
});

test('allowInsecureHttp causes a warning at start that names the issuer', async () => {
  const corp = await startIssuer();
  const issuers = [
    corp.record({ name: 'corp', allowInsecureHttp: true }),
    corp.record({ issuer: 'https://x.example' }),
  ];
  const { lines } = await start({ issuers, lazy: true });
  expect(lines.filter((line) => line.includes('allowInsecureHttp'))).toEqual([
    'The issuer corp has allowInsecureHttp: anybody between it and this service can supply its keys',
  ]);
});

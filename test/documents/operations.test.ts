import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type KmsJwtEvent,
  KmsSignatureError,
  type KmsUnavailableError,
  type KmsUnavailableReason,
} from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { describeEvent } from '../../src/events/kms-jwt.events.js';
import { blockedError, timeoutError, translateKmsError } from '../../src/kms/kms-errors.js';
import { ROOT } from './support.js';
import { codeIn, isListed, rowsUnder } from './tables.js';

type EventOf<Type> = Extract<KmsJwtEvent, { type: Type }>;

const error = new KmsSignatureError('the error');

/** An event of each type and form: without one of the types this does not compile. */
const EVENTS: { [Type in KmsJwtEvent['type']]: EventOf<Type>[] } = {
  key_published: [{ type: 'key_published', kid: 'a' }],
  key_activated: [{ type: 'key_activated', kid: 'a' }],
  key_removed: [{ type: 'key_removed', kid: 'a' }],
  key_distrusted: [{ type: 'key_distrusted', kid: 'a' }],
  refresh_failed: [{ type: 'refresh_failed', error }],
  refresh_recovered: [{ type: 'refresh_recovered' }],
  keys_stale: [
    { type: 'keys_stale', staleIn: 3600, error },
    { type: 'keys_stale', staleIn: 0, error },
  ],
  store_failed: [{ type: 'store_failed', error }],
  store_unsafe: [{ type: 'store_unsafe', warning: 'rotation.store: /keys is writable by its group (…)' }],
  clock_stepped: [
    { type: 'clock_stepped', seconds: 60, suspended: 0 },
    { type: 'clock_stepped', seconds: -60, suspended: 0 },
    { type: 'clock_stepped', seconds: 60, suspended: 60 },
  ],
  signing_suspended: [{ type: 'signing_suspended', error }],
  signing_resumed: [{ type: 'signing_resumed', kid: 'a' }],
  signature_refused: [{ type: 'signature_refused', error }],
  circuit_opened: [
    { type: 'circuit_opened', operation: 'Sign', error },
    { type: 'circuit_opened', operation: 'Verify', error },
    { type: 'circuit_opened', operation: 'Sign', error, region: 'eu-west-1' },
  ],
  circuit_closed: [
    { type: 'circuit_closed', operation: 'Verify' },
    { type: 'circuit_closed', operation: 'Sign' },
    { type: 'circuit_closed', operation: 'Sign', region: 'eu-west-1' },
  ],
};

/** Every reason: without one of them this does not compile. */
const REASONS: Record<KmsUnavailableReason, true> = {
  throttled: true,
  timeout: true,
  network: true,
  failure: true,
  overloaded: true,
  blocked: true,
  circuit_open: true,
  shutdown: true,
  alias_moved: true,
};

const named = (name: string, more: object = {}) => Object.assign(new Error('message'), { name, ...more });
const translated = (foreign: Error, wasSent = true) =>
  translateKmsError(foreign, 'Sign', 'alias/auth', wasSent);

/** Errors of KMS and of the credential provider. */
const ERRORS = [
  translated(named('ThrottlingException')),
  translated(named('AccessDeniedException')),
  translated(named('ExpiredTokenException')),
  translated(new TypeError('Resolved credential object is not valid'), false),
  translated(named('TypeError'), false),
  translated(named('Error', { code: 'EAI_AGAIN' }), false),
  translated(named('Error', { code: 'EAI_AGAIN' })),
  translated(named('DisabledException')),
  translated(named('SyntaxError')),
  translateKmsError(named('ThrottlingException'), 'Verify', 'alias/auth', true),
  translateKmsError(named('AccessDeniedException'), 'Verify', 'alias/auth', true),
  timeoutError('Sign', 'alias/auth', 3000, true, 0),
  timeoutError('Sign', 'alias/auth', 3000, false, 0),
  blockedError(named('TimeoutError'), 'Sign', 'alias/auth', true, 5000),
];

const document = await readFile(join(ROOT, 'docs/operations.md'), 'utf8');

async function sourceText(): Promise<string> {
  const names = await readdir(join(ROOT, 'src'), { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts'));
  return (await Promise.all(files.map((name) => readFile(join(ROOT, 'src', name), 'utf8')))).join('\n');
}

describe('docs/operations.md', () => {
  const events = rowsUnder(document, 'Events and their log lines');
  const errors = rowsUnder(document, 'Errors');

  test('has one row for each event, and no others', () => {
    expect(events.map(([type]) => codeIn(type)[0])).toEqual(expect.arrayContaining(Object.keys(EVENTS)));
    expect(events).toHaveLength(Object.keys(EVENTS).length);
  });

  test.each(Object.values(EVENTS).flat())('has the log line of %j in its row', (event: KmsJwtEvent) => {
    const row = events.find(([type]) => type === `\`${event.type}\``);
    expect(isListed(describeEvent(event), row?.[1])).toBe(true);
  });

  test('has a row for each reason of a KmsUnavailableError', () => {
    expect(errors.flatMap(([, reason]) => codeIn(reason))).toEqual(
      expect.arrayContaining(Object.keys(REASONS)),
    );
  });

  test.each(ERRORS)('has the message of $name with its reason or class: $message', (thrown) => {
    const kind = (thrown as KmsUnavailableError).reason ?? thrown.name;
    const rows = errors.filter(([pattern]) => isListed(thrown.message, pattern));
    expect(rows.flatMap(([, reason]) => codeIn(reason))).toContain(kind);
  });

  test('quotes only texts of the source', async () => {
    const source = await sourceText();
    const remedies = rowsUnder(document, 'When `sign` refuses with `alias_moved`');
    const patterns = [
      ...events.flatMap(([, line]) => codeIn(line)),
      ...[...errors, ...remedies].flatMap(([line]) => codeIn(line)),
    ];
    const parts = patterns
      .flatMap((pattern) => pattern.split(/…|: /))
      .map((part) => part.replace(/^\W+|\W+$/g, ''));
    expect(remedies).toHaveLength(3);
    expect(parts.filter((part) => !source.includes(part))).toEqual([]);
  });

  test('has the remedy of the warning about a large key set', async () => {
    const remedy =
      'Remove keys from rotation.verificationKeys, or wait until the keys of past rotations have retired';
    expect(document.replaceAll('`', '').replaceAll(/\s+/g, ' ')).toContain(remedy);
    expect(await sourceText()).toContain(remedy);
  });

  test('says what to do in every row of both tables', () => {
    for (const row of [...events, ...errors]) expect(row.at(-1)).toMatch(/^[A-Z].*\.$/);
    expect(events.every((row) => row.length === 4) && errors.every((row) => row.length === 3)).toBe(true);
  });
});

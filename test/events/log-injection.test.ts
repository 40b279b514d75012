import { Test } from '@nestjs/testing';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { expect, onTestFinished, test } from 'vitest';
import { ES256 } from '../../src/jwt/algorithms.js';
import { describeEvent } from '../../src/events/kms-jwt.events.js';
import { Log } from '../../src/events/log.js';
import { KmsKeySource } from '../../src/keys/kms-key-source.js';
import { newKeyPair } from '../support/forge.js';
import { A, newSigner } from '../service/token-signer.support.js';

/** A forged line, terminal escapes of one and of two bytes, a line separator, and right-to-left text. */
const HOSTILE = 'key\n[Nest] 1 ERROR forged\u001b[2J\u009b31m\r\u2028\u202egnp';
/** Characters that break a line or change how it is displayed. */
const BREAKING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const hostileJwk = { ...newKeyPair().publicKey.export({ format: 'jwk' }), kid: HOSTILE };

test('the kid of a foreign key set is sanitized in the log, and unchanged in events', async () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const module = await Test.createTestingModule({
    imports: [KmsJwtModule.forRoot({ jwks: { keys: [hostileJwk] } })],
  })
    .setLogger({ log: write, warn: write, error: write })
    .compile();
  onTestFinished(() => module.close());
  const kids: unknown[] = [];
  module.get(KmsJwtService).events.subscribe((event) => kids.push(Reflect.get(event, 'kid')));
  await module.init();
  expect(kids).toEqual([HOSTILE]);
  const own = lines.filter((line) => line.startsWith('The key '));
  expect(own).toEqual([expect.stringMatching(/^The key key\?\S+ is published and verifies tokens$/)]);
  for (const line of lines) expect(line).not.toMatch(BREAKING);
});

test.each(['key_published', 'key_activated', 'key_removed', 'key_distrusted'] as const)(
  'the log line of %s has no line break',
  (type) => {
    expect(describeEvent({ type, kid: HOSTILE })).not.toMatch(BREAKING);
    expect(describeEvent({ type, kid: 'kid/with+the=usual@characters:1' })).toContain(
      ' kid/with+the=usual@characters:1 ',
    );
  },
);

test.each(['info', 'warn', 'error'] as const)(
  'a log line of level %s has no line break, even if its message has one',
  (level) => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const log = new Log('default', { log: write, warn: write, error: write });
    log[level](`The ring store failed: ${HOSTILE}, Zürich`);
    expect(lines).toEqual([
      expect.stringMatching(/^The ring store failed: key\? ?\[Nest\] 1 ERROR forged.*, Zürich$/),
    ]);
    expect(lines[0]).not.toMatch(BREAKING);
  },
);

test('errors sanitize the values of a KMS reply', async () => {
  const spki = newKeyPair().publicKey.export({ format: 'der', type: 'spki' });
  const reply = { keyArn: HOSTILE, spki, keySpec: HOSTILE, keyUsage: HOSTILE };
  const source = new KmsKeySource(
    { getPublicKey: async () => reply },
    { keyId: 'alias/auth', kid: 'key-id', verificationKeys: [], refreshInterval: 300, algorithms: [ES256] },
  );
  const wrongKey = await source.load().catch((error: Error) => error.message);
  expect(wrongKey).toMatch(/^The KMS key key\?/);
  expect(wrongKey).not.toMatch(BREAKING);

  const { sign } = newSigner([(request) => ({ ...A.answer(request), keyArn: HOSTILE })]);
  const otherKey = await sign().catch((error: Error) => error.message);
  expect(otherKey).toMatch(/^KMS signed with the key key\?/);
  expect(otherKey).not.toMatch(BREAKING);
});

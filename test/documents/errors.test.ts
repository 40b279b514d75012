import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as library from 'nestjs-kms-jwt';
import { KmsJwtError, type KmsJwtErrorCode, toHttpException } from 'nestjs-kms-jwt';
import { beforeAll, describe, expect, test } from 'vitest';
import { optionErrors, OTHER_REFUSALS, startErrors, tokenErrors, unavailable } from './errors.cases.js';
import { ROOT } from './support.js';
import { codeIn, isListed, isPatternOf, rowsUnder } from './tables.js';

/** Every code: without one of them this does not compile. */
const CODES: Record<KmsJwtErrorCode, true> = {
  token_missing: true,
  token_malformed: true,
  token_signature_invalid: true,
  token_key_unknown: true,
  token_key_disabled: true,
  token_key_not_in_kms: true,
  token_expired: true,
  token_not_active: true,
  token_claim_invalid: true,
  token_revoked: true,
  token_rejected: true,
  token_ambiguous: true,
  insufficient_scope: true,
  origin_not_allowed: true,
  revocation_unavailable: true,
  schema_unavailable: true,
  issuer_unavailable: true,
  authentication_timeout: true,
  kms_unavailable: true,
  jwks_unavailable: true,
  kms_key_invalid: true,
  kms_access_denied: true,
  kms_signature_invalid: true,
  options_invalid: true,
};

const ABSTRACT = ['KmsJwtError', 'TokenError'];
const classes = Object.entries(library)
  .filter(([, one]) => typeof one === 'function' && one.prototype instanceof KmsJwtError)
  .map(([name]) => name)
  .filter((name) => !ABSTRACT.includes(name));

const document = await readFile(join(ROOT, 'docs/errors.md'), 'utf8');

interface Row {
  name: string;
  code: string;
  /** Absent in the table of failures at start, where no client waits for an answer. */
  status?: number;
  message: string;
  rest: string[];
}

function tableUnder(heading: string, hasStatus = true): Row[] {
  return rowsUnder(document, heading).map(([name, code, ...cells]) => {
    const status = hasStatus ? Number(cells.shift()) : undefined;
    const [message = '', ...rest] = cells;
    return {
      name: codeIn(name)[0] ?? '',
      code: codeIn(code)[0] ?? '',
      ...(status !== undefined && { status }),
      message,
      rest,
    };
  });
}

const TABLES = [
  ['Token errors', tableUnder('Token errors'), tokenErrors],
  ['Other refusals', tableUnder('Other refusals'), async () => OTHER_REFUSALS],
  ['Unavailable', tableUnder('Unavailable'), unavailable],
  ['Option errors', tableUnder('Option errors'), optionErrors],
  ['Startup failures', tableUnder('Startup failures', false), startErrors],
] as const;
const rows = TABLES.flatMap(([, table]) => table);

test('the document has every exported class and every code, and no others', () => {
  expect(new Set(rows.map(({ name }) => name))).toEqual(new Set(classes));
  expect(new Set(rows.map(({ code }) => code))).toEqual(new Set(Object.keys(CODES)));
  for (const name of ABSTRACT) expect(document).toContain(`\`${name}\``);
});

test('the document has at most 150 lines, and each row is complete', () => {
  expect(document.split('\n').length).toBeLessThanOrEqual(151);
  for (const { message, rest } of rows) {
    expect(codeIn(message).length).toBeGreaterThan(0);
    expect(rest).toHaveLength(2);
    for (const cell of rest) expect(cell).toMatch(/^(?:[A-Z]|`).*\.$/);
  }
});

describe.each(TABLES)('the table %s', (_, table, produce) => {
  let errors: KmsJwtError[];
  beforeAll(async () => {
    errors = await produce();
  });

  test('has each error produced here, with its class, code and status', () => {
    for (const error of errors) {
      const { name, code, message } = error;
      const row = table.find((one) => one.name === name && isListed(message, one.message));
      expect(row, `${name}: ${message}`).toBeDefined();
      expect(row?.code).toBe(code);
      if (row?.status !== undefined) expect(toHttpException(error).getStatus()).toBe(row.status);
    }
  });

  test('has no message that no error here has', () => {
    const patterns = table.flatMap(({ name, message }) =>
      codeIn(message).map((pattern) => ({ name, pattern })),
    );
    const unknown = patterns.filter(
      ({ name, pattern }) =>
        !errors.some((error) => error.name === name && isPatternOf(error.message, pattern)),
    );
    expect(unknown).toEqual([]);
  });

  test('marks the retryable errors as such, and no others', () => {
    for (const { name, retryable } of errors) {
      const ofClass = table.filter((row) => row.name === name && row.status !== undefined);
      for (const { rest } of ofClass) expect(rest.join().includes('`retryable` is true')).toBe(retryable);
    }
  });

  test('quotes no token', () => {
    for (const { message } of errors) expect(message).not.toMatch(/eyJ[\w-]{10}/);
  });
});

import { expect, describe, test } from 'vitest';
import { z } from 'zod';
import { FileRingStore } from '../../src/keys/file-ring-store.js';
import type { KmsJwtModuleOptions, SignOptions, VerifyOptions } from '../../src/options/kms-jwt.options.js';
import { readModuleOptions, readSignOptions, readVerifyOptions } from '../../src/options/read-options.js';
import { ES256 } from '../../src/jwt/algorithms.js';
import { verificationKey } from '../support/verification-key.js';

const keyId = 'alias/auth';
const { jwk } = verificationKey('a');
const refusal = (option: string) => expect.objectContaining({ name: 'KmsJwtOptionsError', option });

describe('readModuleOptions', () => {
  test('needs a keyId and has a default for everything else', () => {
    expect(readModuleOptions({ keyId })).toEqual({
      keyId,
      jwksUri: undefined,
      jwks: undefined,
      algorithms: [ES256],
      kid: 'key-id',
      client: {},
      regions: [],
      messageType: 'DIGEST',
      requestAlias: false,
      lazy: false,
      isRevoked: undefined,
      cache: { max: 1000 },
      sign: {},
      verify: {},
      rotation: {
        refreshInterval: 300,
        activationDelay: 990,
        retireAfter: undefined,
        verificationKeys: [],
        distrustedKeys: [],
        maxStale: 86_400,
        store: undefined,
      },
      limits: {
        timeout: 3000,
        maxConcurrency: 50,
        maxQueue: 1000,
        maxTokenLength: 16_384,
        maxIssuers: 1000,
      },
      guard: {
        tokenFrom: undefined,
        property: 'user',
        endAtExpiry: true,
        recheckInterval: undefined,
        allowedOrigins: undefined,
      },
    });
  });

  test('treats an undefined option as absent', () => {
    const given = { keyId, client: undefined, lazy: undefined, limits: undefined, guard: undefined };
    expect(readModuleOptions(given)).toEqual(readModuleOptions({ keyId }));
  });

  test.each([
    [[]],
    [['https://app.example.com', 'http://localhost:3000', 'http://[::1]:8080', 'null']],
    [['https://xn--bcher-kva.example', 'capacitor://localhost', 'chrome-extension://abcdefgh']],
  ])('accepts the origins %j, and keeps a copy', (allowedOrigins) => {
    const { guard } = readModuleOptions({ keyId, guard: { allowedOrigins } });
    expect(guard.allowedOrigins).toEqual(allowedOrigins);
    expect(guard.allowedOrigins).not.toBe(allowedOrigins);
  });

  test('converts durations to seconds', () => {
    const { sign, verify } = readModuleOptions({
      keyId,
      signOptions: { expiresIn: '15m', notBefore: '-10s' },
      verifyOptions: { maxAge: '1.5h' },
    });
    expect(sign).toEqual({ expiresIn: 900, notBefore: -10 });
    expect(verify).toEqual({ maxAge: 5400 });
  });

  test('expects the issuer and the audience of signOptions in tokens, unless verifyOptions override them', () => {
    const signOptions = { issuer: 'auth', audience: ['orders', 'bills'] };
    expect(readModuleOptions({ keyId, signOptions }).verify).toEqual({
      issuer: ['auth'],
      audience: ['orders', 'bills'],
    });
    expect(readModuleOptions({ keyId, signOptions, verifyOptions: { audience: 'orders' } }).verify).toEqual({
      issuer: ['auth'],
      audience: ['orders'],
    });
  });

  test.each<[string, unknown]>([
    ['options', undefined],
    ['options', null],
    ['options', 'alias/auth'],
    ['keyId', {}],
    ['keyId', { keyId: undefined }],
    ['keyId', { keyId: '' }],
    ['keyId', { keyId: 42 }],
    ['keyid', { keyid: keyId }],
    ['secret', { keyId, secret: 'hush' }],
    ['client', { keyId, client: 'eu-central-1' }],
    ['limits.timeout', { keyId, limits: { timeout: -1 } }],
    ['limits.timeout', { keyId, limits: { timeout: 0 } }],
    ['limits.timeout', { keyId, limits: { timeout: 0.5 } }],
    ['limits.timeout', { keyId, limits: { timeout: '3s' } }],
    ['limits.timeout', { keyId, limits: { timeout: 2 ** 31 } }],
    ['limits.maxConcurrency', { keyId, limits: { maxConcurrency: 0 } }],
    ['limits.maxQueue', { keyId, limits: { maxQueue: -1 } }],
    ['limits.maxQueue', { jwksUri: 'https://a.example', limits: { maxQueue: 1 } }],
    ['limits.maxTokenLength', { keyId, limits: { maxTokenLength: Number.POSITIVE_INFINITY } }],
    ['lazy', { keyId, lazy: 'yes' }],
    ['messageType', { keyId, messageType: 'raw' }],
    ['kid', { keyId, kid: 'alias' }],
    ['requestAlias', { keyId: '1234', requestAlias: true }],
    ['keyId', { keyId, jwksUri: 'https://issuer.example/jwks.json' }],
    ['jwksUri', { jwksUri: 'http://issuer.example/jwks.json' }],
    ['jwksUri', { jwksUri: 'http://127.0.0.1.evil.example/jwks.json' }],
    ['jwksUri', { jwksUri: 'file:///etc/passwd' }],
    ['jwksUri', { jwksUri: 'https://user:hush@issuer.example/jwks.json' }],
    ['jwks', { jwks: { keys: [] } }],
    ['jwks', { jwks: { keys: [...Array.from({ length: 100 }, () => ({ kty: 'RSA' })), jwk] } }],
    ['jwks', { jwks: { keys: [{ kty: 'oct', k: 'AAAA', kid: 'a', alg: 'HS256' }] } }],
    ['signOptions', { jwksUri: 'https://issuer.example/jwks.json', signOptions: { expiresIn: 60 } }],
    ['client', { jwksUri: 'https://issuer.example/jwks.json', client: {} }],
    ['rotation.verificationKeys', { keyId, rotation: { verificationKeys: 'alias/next' } }],
    ['rotation.verificationKeys', { keyId, rotation: { verificationKeys: [{ kty: 'EC' }] } }],
    ['regions', { keyId, regions: [] }],
    ['regions', { keyId, regions: ['eu-west-1', 'eu-west-1'] }],
    ['client', { keyId, client: () => undefined }],
    ['rotation.refreshInterval', { keyId, rotation: { refreshInterval: 0 } }],
    ['rotation.activationDelay', { keyId, rotation: { activationDelay: -1 } }],
    ['rotation.retireAfter', { keyId, rotation: { retireAfter: '900' } }],
    ['rotation.store', { keyId, rotation: { store: { load: () => undefined } } }],
    ['rotation.store', { jwksUri: 'https://a.example', rotation: { store: new FileRingStore('ring.json') } }],
    ['rotation.retireAfter', { jwksUri: 'https://a.example', rotation: { retireAfter: 1 } }],
    ['rotation', { keyId, rotation: '5m' }],
    ['rotation.ringStore', { keyId, rotation: { ringStore: {} } }],
    ['limits', { keyId, limits: null }],
    ['limits.timeOut', { keyId, limits: { timeOut: 1 } }],
    ['guard', { keyId, guard: [] }],
    ['guard.tokenFrom', { keyId, guard: { tokenFrom: [] } }],
    ['guard.property', { keyId, guard: { property: '' } }],
    ['guard.endAtExpiry', { keyId, guard: { endAtExpiry: 'no' } }],
    ['guard.recheckInterval', { keyId, guard: { recheckInterval: 0 } }],
    ['guard.allowedOrigins', { keyId, guard: { allowedOrigins: undefined } }],
    ['guard.allowedOrigins', { keyId, guard: { allowedOrigins: 'https://app.example.com' } }],
    ...[
      '',
      '*',
      'app.example.com',
      '//app.example.com',
      'https://app.example.com/',
      'https://app.example.com/login',
      'https://app.example.com?',
      'https://app.example.com#',
      'https://app.example.com:443',
      'https://App.example.com',
      'https://user@app.example.com',
      'https://*.example.com',
      'https://bücher.example',
      'file:///',
      'https:app.example.com',
      undefined,
    ].map((origin): [string, object] => [
      'guard.allowedOrigins',
      { keyId, guard: { allowedOrigins: [origin] } },
    ]),
    ['signOptions', { keyId, signOptions: [] }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: 'soon' } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: undefined } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: 0 } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: -60 } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: 1.5 } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: Number.NaN } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: '900' } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: '100ms' } }],
    ['signOptions.expiresIn', { keyId, signOptions: { expiresIn: `${'9'.repeat(500)}s` } }],
    ['signOptions.audience', { keyId, signOptions: { audience: [] } }],
    ['signOptions.issuer', { keyId, signOptions: { issuer: '' } }],
    ['signOptions.algorithm', { keyId, signOptions: { algorithm: 'HS256' } }],
    ['signOptions.header', { keyId, signOptions: { header: { alg: 'none' } } }],
    ['signOptions.header', { keyId, signOptions: { header: { kid: 'mine' } } }],
    ['signOptions.header', { keyId, signOptions: { header: { crit: ['b64'] } } }],
    ['signOptions.header', { keyId, signOptions: { header: { b64: true } } }],
    ['signOptions.header', { keyId, signOptions: { header: { enc: 'A256GCM' } } }],
    ['signOptions.header', { keyId, signOptions: { header: { typ: undefined } } }],
    ['signOptions.header', { keyId, signOptions: { header: { typ: 5 } } }],
    ['signOptions.header', { keyId, signOptions: { header: { typ: 'application/' } } }],
    ['signOptions.header', { keyId, signOptions: { header: { x: 1n } } }],
    ['signOptions.header', { keyId, signOptions: { header: { toJSON: () => ({ alg: 'none' }) } } }],
    ['signOptions.header', { keyId, signOptions: { header: new Map() } }],
    ['signOptions.signal', { keyId, signOptions: { signal: new AbortController().signal } }],
    ['verifyOptions.audience', { keyId, verifyOptions: { audience: undefined } }],
    ['verifyOptions.issuer', { keyId, verifyOptions: { issuer: [] } }],
    ['verifyOptions.clockTolerance', { keyId, verifyOptions: { clockTolerance: '5s' } }],
    ['verifyOptions.clockTolerance', { keyId, verifyOptions: { clockTolerance: -1 } }],
    ['verifyOptions.requiredClaims', { keyId, verifyOptions: { requiredClaims: 'exp' } }],
    ['verifyOptions.schema', { keyId, verifyOptions: { schema: { parse: () => 1 } } }],
    ['verifyOptions.complete', { keyId, verifyOptions: { complete: true } }],
    ['verifyOptions.constructor', { keyId, verifyOptions: { constructor: 1 } }],
  ])('names the option %s when it refuses %o', (option, given) => {
    expect(() => readModuleOptions(given as KmsJwtModuleOptions)).toThrow(refusal(option));
  });

  test('states the expected values', () => {
    expect(() => readModuleOptions({})).toThrow(/keyId is missing: it must be a key id, key ARN, alias/);
    expect(() => readModuleOptions({ keyId, limits: { timeout: -1 } })).toThrow(
      'limits.timeout must be a positive whole number of milliseconds, at most 2147483647',
    );
    expect(() => readModuleOptions({ keyId, limits: { maxTokenLength: 0 } })).toThrow(
      /limits.maxTokenLength must be a positive whole number of characters$/,
    );
    expect(() => readModuleOptions({ jwks: { keys: [] } })).toThrow(
      /a public key for ES256 \(see the option algorithm\) that has a kid/,
    );
    expect(() => readModuleOptions({ keyId, signOptions: { expiresIn: 'soon' } })).toThrow(/'15m'/);
  });
});

describe('readSignOptions', () => {
  test('prefers the given options to the defaults', () => {
    const defaults = { expiresIn: 60, issuer: 'auth' };
    expect(readSignOptions({ expiresIn: '2m' }, defaults)).toEqual({
      expiresIn: 120,
      issuer: 'auth',
      asked: { expiresIn: 120 },
    });
  });

  test('accepts an undefined signal', () => {
    expect(readSignOptions({ signal: undefined }, {})).toEqual({ asked: {} });
  });

  test.each<[string, object]>([
    ['secret', { secret: 'hush' }],
    ['algorithm', { algorithm: 'HS256' }],
    ['signal', { signal: {} }],
    ['signal', { signal: new EventTarget() }],
    ['noTimestamp', { noTimestamp: 1 }],
  ])('refuses %s', (option, given) => {
    expect(() => readSignOptions(given as SignOptions, {})).toThrow(refusal(option));
  });
});

describe('readVerifyOptions', () => {
  test('prefers the given options to the defaults', () => {
    const defaults = { audience: ['a'], clockTolerance: 5 };
    expect(readVerifyOptions({ audience: 'b', typ: 'application/AT+JWT' }, defaults)).toEqual({
      audience: ['b'],
      clockTolerance: 5,
      typ: 'at+jwt',
    });
  });

  test('copies expressions with their flags', () => {
    const given = /a/gimsuy;
    const { audience } = readVerifyOptions({ audience: given }, {});
    expect(audience).toEqual([/a/gimsuy]);
    expect(audience?.[0]).not.toBe(given);
  });

  test('copies an instance of a RegExp subclass as a plain RegExp', () => {
    class Throwing extends RegExp {
      override exec(): never {
        throw new RangeError('No');
      }
    }
    const { issuer } = readVerifyOptions({ issuer: new Throwing('^a$') }, {});
    expect(issuer?.[0]).toBeInstanceOf(RegExp);
    expect(issuer?.[0]).not.toBeInstanceOf(Throwing);
  });

  test('accepts any Standard Schema', () => {
    const schema = z.object({ sub: z.string() });
    expect(readVerifyOptions({ schema }, {}).schema).toBe(schema);
  });

  test.each<[string, object]>([
    ['algorithms', { algorithms: ['none'] }],
    ['ignoreSignature', { ignoreSignature: true }],
    ['audience', { audience: undefined }],
    ['audience', { audience: ['a', 1] }],
    ['typ', { typ: '' }],
    ['typ', { typ: 'Application/' }],
    ['maxAge', { maxAge: 'soon' }],
    ['clockTimestamp', { clockTimestamp: Number.NaN }],
    ['ignoreExpiration', { ignoreExpiration: 'false' }],
  ])('refuses %s: %o', (option, given) => {
    expect(() => readVerifyOptions(given as VerifyOptions, {})).toThrow(refusal(option));
  });
});

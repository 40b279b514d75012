import { describe, expect, test } from 'vitest';
import { inRegion, isAlias, isSameKey, isSameOwner, keyIdOf, regionOf } from '../../src/kms/key-arn.js';

const UUID = '11111111-2222-4333-8444-555555555555';
const MRK = `mrk-${'1'.repeat(32)}`;
const ARN = `arn:aws:kms:eu-central-1:000000000000:key/${UUID}`;
const ALIAS_ARN = 'arn:aws:kms:eu-central-1:000000000000:alias/team/auth';
const CHINA = `arn:aws-cn:kms:cn-north-1:000000000000:key/${UUID}`;
const mrkIn = (region: string, account = '000000000000') => `arn:aws:kms:${region}:${account}:key/${MRK}`;

test.each([
  [ARN, UUID],
  [CHINA, UUID],
  [mrkIn('us-east-1'), MRK],
  [UUID, UUID],
  [MRK, MRK],
])('the key id of %s is %s', (keyArn, keyId) => {
  expect(keyIdOf(keyArn)).toBe(keyId);
});

test.each([
  ['alias/auth', true],
  [ALIAS_ARN, true],
  [ALIAS_ARN.replace('arn:aws:', 'arn:aws-us-gov:'), true],
  [ARN, false],
  [UUID, false],
  [MRK, false],
  ['my-alias/auth', false],
  ['', false],
])('%s is an alias: %s', (keyId, expected) => {
  expect(isAlias(keyId)).toBe(expected);
});

test.each([
  [ARN, 'eu-central-1'],
  [ALIAS_ARN, 'eu-central-1'],
  [CHINA, 'cn-north-1'],
  [UUID, undefined],
  [MRK, undefined],
  ['alias/auth', undefined],
  ['alias/arn:aws:kms:eu-central-1:x', undefined],
  ['arn:aws:s3:eu-central-1:000000000000:key/x', undefined],
  ['arn:aws:kms:eu-central-1', undefined],
])('the Region of %s is %s', (keyId, region) => {
  expect(regionOf(keyId)).toBe(region);
});

describe('inRegion', () => {
  test.each([
    [mrkIn('eu-central-1'), mrkIn('us-east-1')],
    [ALIAS_ARN, ALIAS_ARN.replace('eu-central-1', 'us-east-1')],
  ])('moves the ARN %s to %s', (keyId, expected) => {
    expect(inRegion(keyId, 'us-east-1')).toBe(expected);
  });

  test.each([UUID, MRK, 'alias/auth', 'arn:aws:s3:::bucket'])('leaves %s unchanged', (keyId) => {
    expect(inRegion(keyId, 'us-east-1')).toBe(keyId);
  });
});

describe('isSameKey', () => {
  test.each([
    ['an ARN and itself', ARN, ARN],
    ['an ARN and its key id', ARN, UUID],
    ['a key id and its ARN', UUID, ARN],
    ['a key id and itself', UUID, UUID],
    ['two replicas of a Multi-Region key', mrkIn('eu-central-1'), mrkIn('us-east-1')],
  ])('accepts %s', (_, one, other) => {
    expect(isSameKey(one, other)).toBe(true);
  });

  test.each([
    ['another key', ARN, ARN.replace(UUID, UUID.replace('1', '2'))],
    ['the same key id in another account', ARN, ARN.replace('000000000000', '111111111111')],
    ['the same key id in another Region', ARN, ARN.replace('eu-central-1', 'us-east-1')],
    ['another Multi-Region key', mrkIn('eu-central-1'), mrkIn('us-east-1').replace('mrk-1', 'mrk-2')],
    ['another bare key id', ARN, UUID.replace('1', '2')],
    ['a key id with the same end', ARN, UUID.slice(1)],
  ])('refuses %s', (_, one, other) => {
    expect(isSameKey(one, other)).toBe(false);
  });
});

const arn = (region: string, account: string, id = 'a') => `arn:aws:kms:${region}:${account}:key/${id}`;

describe('isSameOwner', () => {
  test.each<[boolean, string, string]>([
    [true, arn('eu-west-1', '1'), arn('eu-west-1', '1', 'b')],
    [false, arn('eu-west-1', '1'), arn('eu-west-1', '2')],
    [false, arn('eu-west-1', '1'), arn('us-east-1', '1')],
    [false, arn('eu-west-1', '1'), arn('eu-west-1', '1').replace('aws', 'aws-cn')],
    [true, arn('eu-west-1', '1', 'mrk-a'), arn('us-east-1', '1', 'mrk-a')],
    [false, arn('eu-west-1', '1', 'mrk-a'), arn('us-east-1', '2', 'mrk-a')],
    [true, arn('eu-west-1', '1'), 'a-bare-key-id'],
  ])('is %s for %s and %s', (expected, one, other) => {
    expect(isSameOwner(one, other)).toBe(expected);
    expect(isSameOwner(other, one)).toBe(expected);
  });
});

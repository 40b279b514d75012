import * as fc from 'fast-check';
import {
  fromAuthHeader,
  fromBody,
  fromCookie,
  fromHeader,
  fromQuery,
  TokenAmbiguousError,
  type TokenCarrier,
} from 'nestjs-kms-jwt';
import { anything, text } from '../arbitraries.js';
import { must, outcomeOf, type Target } from '../target.js';

const EXTRACTORS = [
  fromAuthHeader(),
  fromHeader('X-Token'),
  fromCookie('token'),
  fromQuery('token'),
  fromBody('token'),
];

/** An extractor returns one non-empty string or undefined, or throws TokenAmbiguousError, for any input. */
export async function extractors(): Promise<Target<TokenCarrier>> {
  return {
    inputs: carriers,
    async judge(carrier) {
      const verdicts = new Set<string>();
      for (const extract of EXTRACTORS) {
        const { verdict, value, error } = await outcomeOf(TokenAmbiguousError, () => extract(carrier));
        const isString = typeof value === 'string' && value !== '';
        must(error !== undefined || value === undefined || isString, `It found ${typeof value}`);
        if (error ?? isString) verdicts.add(verdict);
      }
      return [...verdicts].toSorted().join(' and ') || 'nothing found';
    },
    close: async () => undefined,
  };
}

const pair = fc
  .tuple(
    fc.constantFrom('token', 'Token', ' token', '"token"', '__proto__', 'a'),
    fc.oneof(text, fc.constant('x')),
  )
  .map((parts) => parts.join('='));
const pairs = (separator: string) => fc.array(pair, { maxLength: 4 }).map((all) => all.join(separator));
const credentials = fc
  .tuple(
    fc.constantFrom('Bearer ', 'bearer ', 'BEARER\t', 'Bearer', 'Basic ', 'Bearer  '),
    fc.oneof(text, fc.constant('x.y.z')),
  )
  .map((parts) => parts.join(''));
const oneOrMany = (value: fc.Arbitrary<string>) =>
  fc.option(fc.oneof(value, fc.array(value, { maxLength: 3 })), { nil: undefined });
const holder = fc.oneof(fc.dictionary(fc.constantFrom('token', 'Token', 'a'), anything), anything);

const carriers: fc.Arbitrary<TokenCarrier> = fc.record(
  {
    headers: fc.record(
      {
        authorization: oneOrMany(credentials),
        'x-token': oneOrMany(text),
        cookie: oneOrMany(pairs(';')),
      },
      { requiredKeys: [] },
    ),
    cookies: holder,
    query: holder,
    body: holder,
    url: fc.oneof(
      text,
      pairs('&').map((query) => `/?${query}`),
    ),
  },
  { requiredKeys: ['headers'] },
);

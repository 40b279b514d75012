import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { type JwtClaims, KmsJwtOptionsError, type SignOptions } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { anything, defiant, json, text } from '../arbitraries.js';
import { startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

/** An input has at most one reason for a refusal; most have none. */
const rarely = (arbitrary: fc.Arbitrary<unknown>) => ({ weight: 1, arbitrary });
const mostly = (arbitrary: fc.Arbitrary<unknown>) => ({ weight: 9, arbitrary });

/** So high that no token is refused for its length. */
const NO_LIMIT = 64 * 1024 * 1024;

interface Input {
  payload: unknown;
  options: unknown;
}

/** `sign` refuses the claims and options, or returns a token with exactly these claims and those of the options. */
export async function claims(): Promise<Target<Input>> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client();
  const { jwt, close } = await startService({
    keyId: 'alias/auth',
    client,
    limits: { maxTokenLength: NO_LIMIT },
  });

  return {
    inputs: fc.record({ payload, options }),
    judge,
    close: () => close().then(() => client.destroy()),
  };

  async function judge(input: Input): Promise<string> {
    const second = secondNow();
    const { verdict, value, error } = await outcomeOf(KmsJwtOptionsError, () =>
      jwt.sign(input.payload as object, input.options as SignOptions),
    );
    if (error) return verdict;
    // If the second changed during the call, the times of the token can be of either: try again.
    if (secondNow() !== second) return judge(input);
    await checkToken(value, input.payload as JwtClaims, input.options ?? {}, second);
    return verdict;
  }

  async function checkToken(
    token: string,
    given: JwtClaims,
    asked: SignOptions,
    second: number,
  ): Promise<void> {
    const { header, payload: signed } = await jwt.verify(token, {
      complete: true,
      ignoreExpiration: true,
      ignoreNotBefore: true,
      ...(asked.header?.typ !== undefined && { typ: asked.header.typ }),
    });
    const iat = given.iat ?? second;
    const claimsAsked = definedIn({ ...given, iat, ...claimsOf(asked, iat) });
    if (asked.noTimestamp === true) delete claimsAsked['iat'];
    must(isDeepStrictEqual(signed, claimsAsked), 'It changed the claims');
    const { kid } = header;
    const headerAsked = definedIn({ typ: 'JWT', ...asked.header, alg: 'ES256', kid });
    must(isDeepStrictEqual(header, headerAsked), 'It changed the header');
  }
}

const secondNow = () => Math.floor(Date.now() / 1000);

/** The members that JSON would have. */
function definedIn(given: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
}

function claimsOf(asked: SignOptions, start: number): JwtClaims {
  const { expiresIn, notBefore, audience, issuer, subject, jwtid } = asked;
  return {
    ...(expiresIn !== undefined && { exp: start + secondsOf(expiresIn) }),
    ...(notBefore !== undefined && { nbf: start + secondsOf(notBefore) }),
    ...(audience !== undefined && { aud: audience }),
    ...(issuer !== undefined && { iss: issuer }),
    ...(subject !== undefined && { sub: subject }),
    ...(jwtid !== undefined && { jti: jwtid }),
  };
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function secondsOf(duration: number | string): number {
  if (typeof duration === 'number') return duration;
  return Number.parseInt(duration, 10) * (UNITS[duration.at(-1) ?? ''] ?? Number.NaN);
}

const claim = (good: fc.Arbitrary<unknown>) => fc.oneof(mostly(good), rarely(json));
const option = (good: fc.Arbitrary<unknown>) => fc.oneof(mostly(good), rarely(fc.oneof(anything, defiant)));
const someText = text.filter((one) => one !== '');
const texts = fc.oneof(someText, fc.array(someText, { minLength: 1 }));
const seconds = fc.nat(4e9);
const members = fc.dictionary(text, json, { noNullPrototype: true });

const registered = fc.record(
  {
    iss: claim(text),
    aud: claim(fc.oneof(text, fc.array(text))),
    exp: claim(seconds),
    iat: claim(seconds),
    nbf: claim(seconds),
  },
  { requiredKeys: [] },
);
const payload = fc.oneof(
  { weight: 5, arbitrary: members },
  { weight: 2, arbitrary: fc.tuple(members, registered).map(([one, other]) => ({ ...one, ...other })) },
  { weight: 2, arbitrary: fc.dictionary(text, anything) },
  { weight: 1, arbitrary: fc.dictionary(text, fc.oneof(json, defiant)) },
  { weight: 1, arbitrary: fc.oneof(anything, defiant) },
);

const duration = fc.oneof(
  fc.integer({ min: 1, max: 100_000 }),
  fc
    .tuple(fc.integer({ min: 1, max: 1000 }), fc.constantFrom('s', 'm', 'h', 'd'))
    .map((parts) => parts.join('')),
);
const options = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 6,
    arbitrary: fc.record(
      {
        expiresIn: option(duration),
        notBefore: option(fc.oneof(duration, fc.integer({ min: -1000, max: 0 }))),
        audience: option(texts),
        issuer: option(someText),
        subject: option(someText),
        jwtid: option(someText),
        noTimestamp: option(fc.boolean()),
        header: option(fc.oneof(members, fc.record({ typ: someText }))),
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: anything },
);

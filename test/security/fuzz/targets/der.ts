import { createHash } from 'node:crypto';
import { SignCommand } from '@aws-sdk/client-kms';
import * as fc from 'fast-check';
import { KmsSignatureError } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { ORDER, toInteger } from '../../cases/signatures.js';
import { changed, changesOfBytes } from '../arbitraries.js';
import { startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

const CONTENTS = 16;

interface Input {
  claims: { n: number };
  der: Buffer;
}

/** `sign` hands out a token for the two signatures that KMS can answer in their one encoding, and for no other bytes. */
export async function der(): Promise<Target<Input>> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const client = localKms.client();
  const { jwt, close } = await startService({ keyId: 'alias/auth', client });
  const sign = (claims: Input['claims']) => jwt.sign(claims, { noTimestamp: true });

  const goodOnes = await Promise.all(
    Array.from({ length: CONTENTS }, async (_, n) => {
      const signingInput = (await sign({ n })).replace(/\.[^.]*$/, '');
      const { Signature } = await client.send(
        new SignCommand({
          KeyId: 'alias/auth',
          Message: createHash('sha256').update(signingInput).digest(),
          MessageType: 'DIGEST',
          SigningAlgorithm: 'ECDSA_SHA_256',
        }),
      );
      const good = Buffer.from(Signature as Uint8Array);
      return [good, twinOf(good)] as const;
    }),
  );

  return {
    inputs: fc
      .nat(CONTENTS - 1)
      .chain((n) => fc.record({ claims: fc.constant({ n }), der: nearly(goodOnes[n] ?? []) })),
    async judge({ claims, der: signature }) {
      const fault = localKms.inject({ kind: 'signature', signature, times: 1 });
      const { verdict, value, error } = await outcomeOf(KmsSignatureError, () => sign(claims));
      fault.stop();
      const isGood = (goodOnes[claims.n] ?? []).some((good) => good.equals(signature));
      must(!error === isGood, `It had to ${isGood ? 'accept' : 'refuse'}: ${verdict}`);
      if (!error) await jwt.verify(value);
      return verdict;
    },
    async close() {
      await close();
      client.destroy();
    },
  };
}

function nearly(good: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const one = fc.constantFrom(...good);
  return fc.oneof(
    { weight: 1, arbitrary: one },
    {
      weight: 4,
      arbitrary: fc.tuple(one, changesOfBytes).map(([octets, changes]) => changed(octets, changes)),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(one, fc.constantFrom(...REENCODINGS)).map(([octets, again]) => again(octets)),
    },
    { weight: 2, arbitrary: fc.tuple(integer, integer).map(([r, s]) => sequence(Buffer.concat([r, s]))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets)) },
  );
}

/** The same two integers in BER, and what else somebody may take for them (X.690, sections 8.1, 8.3 and 10.1). */
const REENCODINGS: readonly ((good: Buffer) => Buffer)[] = [
  (good) => Buffer.concat([Buffer.from([0x30, 0x81]), good.subarray(1)]),
  (good) => Buffer.concat([Buffer.from([0x30, 0x82, 0]), good.subarray(1)]),
  (good) => Buffer.concat([Buffer.from([0x30, 0x80]), good.subarray(2), Buffer.alloc(2)]),
  (good) => Buffer.concat([good, Buffer.alloc(1)]),
  (good) => Buffer.concat([good, good]),
  (good) => sequence(good),
  (good) => sequence(Buffer.concat(integersIn(good).toReversed().map(encoded))),
  (good) => sequence(Buffer.concat(integersIn(good).map((value) => encoded(value, 1)))),
  (good) => sequence(Buffer.concat(integersIn(good).map((value) => encoded(value + ORDER)))),
  (good) => sequence(Buffer.concat([...integersIn(good).map((value) => encoded(value)), encoded(1n)])),
];

const integer = fc
  .tuple(
    fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 264n }), fc.constantFrom(0n, 1n, ORDER - 1n, ORDER)),
    fc.nat(2),
  )
  .map(([value, padding]) => encoded(value, padding));

function twinOf(good: Buffer): Buffer {
  const [r = 0n, s = 0n] = integersIn(good);
  return sequence(Buffer.concat([encoded(r), encoded(ORDER - s)]));
}

function integersIn(good: Buffer): bigint[] {
  const sStart = 4 + (good[3] ?? 0);
  return [good.subarray(4, sStart), good.subarray(sStart + 2)].map(toInteger);
}

function encoded(value: bigint, padding = 0): Buffer {
  const digits = value.toString(16);
  const octets = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  const sign = Number((octets[0] ?? 0) >= 0x80);
  return Buffer.concat([
    Buffer.from([0x02, octets.length + sign + padding]),
    Buffer.alloc(sign + padding),
    octets,
  ]);
}

function sequence(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  DAY,
  type Instance,
  now,
  pass,
  published,
  Simulation,
  storeInMemory,
  TEN_YEARS,
  WEEK,
} from './simulation.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** The commands and the option in the runbook, in the order of the document. */
const runbook =
  /^## If a key is compromised\n([^]*?)^## /m.exec(await readFile(join(ROOT, 'SECURITY.md'), 'utf8'))?.[1] ??
  '';
const steps = [...runbook.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, text = '']) => ({
  language,
  text,
}));
const commands = steps.filter(({ language, text }) => language === 'bash' && text.includes('aws kms'));
const option = /^ {2}rotation: \{ distrustedKeys: \['[^']+'\] \},$/m;

let simulation: Simulation;

beforeEach(() => {
  simulation = new Simulation();
});
afterEach(() => simulation.stop());

/** Follows steps 1 and 2. @returns the ids of the compromised key and of the new one */
async function followCommands(): Promise<[string, string]> {
  const kms = await simulation.localKms.listen();
  const script = [...commands.map(({ text }) => text), 'echo "$STOLEN $NEXT"'].join('\n');
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    env: {
      PATH: `${join(ROOT, 'test/support/bin')}:${process.env['PATH']}`,
      AWS_ENDPOINT_URL_KMS: kms.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    },
  });
  await kms.close();
  return stdout.trim().split(' ') as [string, string];
}

const unknownKey = { name: 'TokenKeyUnknownError' };

async function expectRefused({ jwt }: Instance, token: string): Promise<void> {
  await expect(jwt.verify(token)).rejects.toMatchObject(unknownKey);
}

test('the runbook of SECURITY.md has two steps with commands, and one with the option', () => {
  expect(commands).toHaveLength(2);
  expect(steps.filter(({ language, text }) => language === 'ts' && option.test(text))).toHaveLength(1);
});

describe.each(['without a store', 'with a store for each instance', 'with a shared store'])(
  'the runbook, %s',
  (name) => {
    const isShared = name.includes('share');
    const isStored = !name.includes('without');
    let stores: ReturnType<typeof storeInMemory>[];
    const storeOf = (index: number) => (isStored ? { store: stores[isShared ? 0 : index]?.store } : {});

    beforeEach(() => {
      stores = [storeInMemory(), storeInMemory()];
    });

    test('makes all instances distrust the key permanently', async () => {
      const fleet = await Promise.all([0, 1].map((index) => simulation.start({ rotation: storeOf(index) })));
      const stolen = await simulation.steal(0, { sub: 'root', iat: now(), exp: now() + TEN_YEARS });
      for (const { jwt } of fleet) await expect(jwt.verify(stolen)).resolves.toMatchObject({ sub: 'root' });
      await pass(DAY);

      const [old, next] = await followCommands();
      expect(old).toBe(simulation.keyId(0));
      const distrusting = (index: number) => ({ rotation: { ...storeOf(index), distrustedKeys: [old] } });

      // Step 3: restart every instance, or one of those that share a store.
      const [first, second] = fleet as [Instance, Instance];
      await first.stop();
      const instances = [await simulation.start(distrusting(0)), second];
      if (!isShared) {
        await second.stop();
        instances[1] = await simulation.start(distrusting(1));
      }
      await expectRefused(instances[0] as Instance, stolen);
      if (isShared) await pass(330);
      for (const instance of instances) {
        await expectRefused(instance, stolen);
        expect(await published(instance)).toEqual([next]);
        await expect(instance.jwt.verify(await instance.jwt.sign({ sub: 'ada' }))).resolves.toMatchObject({
          sub: 'ada',
        });
      }
      await pass(DAY);

      // Step 5: the store keeps the distrust; without a store, the option stays.
      await Promise.all(instances.map((instance) => instance.stop()));
      await pass(WEEK);
      for (const index of [0, 1]) {
        const options = isStored ? { rotation: storeOf(index) } : distrusting(index);
        const later = await simulation.start(options);
        expect(await published(later)).toEqual([next]);
        await expectRefused(later, stolen);
        await pass(DAY);
        expect(await published(later)).toEqual([next]);
        await expectRefused(later, stolen);
      }
      if (isStored) expect(stores[0]?.stored.ring?.distrusted).toContain(old);
    });

    test('applies to a distrusted key that returns at the alias or in verificationKeys', async () => {
      await (await simulation.start({ rotation: storeOf(0) })).stop();
      const [old] = await followCommands();
      // KMS returns the public key only of an enabled key.
      await simulation.enableKey(0);
      const jwk = await jwkOf(old);
      const rotation = {
        ...storeOf(0),
        distrustedKeys: [old],
        verificationKeys: [old, { ...jwk, kid: 'again' }],
      };
      const stolen = await simulation.steal(0, { sub: 'root', exp: now() + TEN_YEARS });
      const instance = await simulation.start({ rotation });
      await expectRefused(instance, stolen);
      expect(await published(instance)).not.toContain('again');

      await simulation.moveAlias(0);
      await pass(330);
      await expect(instance.jwt.sign({})).rejects.toMatchObject({
        name: 'KmsKeyError',
        message: expect.stringMatching(/is distrusted.*move the alias to another key/),
      });
      await expectRefused(instance, stolen);
      expect(instance.jwt.health()).not.toHaveProperty('signing');
      await expect(simulation.start({ rotation })).rejects.toMatchObject({ name: 'KmsKeyError' });

      await simulation.moveAlias(1);
      await pass(330);
      await expect(instance.jwt.sign({})).resolves.toBeDefined();
    });
  },
);

async function jwkOf(kid: string) {
  const { jwt, stop } = await simulation.start({ keyId: kid });
  const [jwk] = (await jwt.jwks()).keys;
  await stop();
  if (!jwk) throw new Error('no key');
  return jwk;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import { LocalKms, type LocalKmsKeySpec, type LocalKmsServer } from 'nestjs-kms-jwt/local';
import { afterAll, beforeAll } from 'vitest';

/** The KMS of a test file, and an empty folder. test/package runs this file under Jest too. */
export let localKms: LocalKms;
export let folder: string;
let kms: LocalKmsServer;

export function useKms(...keys: { alias: string; keySpec?: LocalKmsKeySpec }[]): void {
  beforeAll(async () => {
    localKms = new LocalKms({ keys });
    kms = await localKms.listen();
    folder = await mkdtemp(join(tmpdir(), 'documents-'));
  });
  afterAll(async () => {
    await kms.close();
    await rm(folder, { recursive: true });
  });
}

export const awsEnvironment = () => ({
  AWS_ENDPOINT_URL_KMS: kms.url,
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'local',
  AWS_SECRET_ACCESS_KEY: 'local',
});

export const withAwsEnvironment = async <T>(run: () => Promise<T>): Promise<T> => {
  const before = { ...process.env };
  Object.assign(process.env, awsEnvironment());
  try {
    return await run();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
};

export const init = async (...imports: never[]) => {
  const module = await Test.createTestingModule({ imports }).compile();
  await module.init();
  return module;
};

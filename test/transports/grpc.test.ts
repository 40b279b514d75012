import { Injectable } from '@nestjs/common';
import { KmsJwtGuard } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { kmsJwtOver } from './app-under-test.js';
import { endpointsGuardedBy } from './grpc.js';
import { watchRejections } from './rejections.js';

describe('a gRPC call', () => {
  @Injectable()
  class BrokenGuard extends KmsJwtGuard {
    protected override authenticate(): never {
      throw new RangeError('the user database is unavailable');
    }
  }
  @Injectable()
  class ThrowingGuard extends KmsJwtGuard {
    protected override handleError(): never {
      throw new RangeError('the metrics are unavailable');
    }
  }

  test.each(
    [BrokenGuard, ThrowingGuard].flatMap((guard) =>
      endpointsGuardedBy(guard).map((endpoint) => [endpoint.name, guard.name, endpoint] as const),
    ),
  )(
    'ends, without ending the process, if a subclass of the guard throws: %s, %s',
    async (name, guard, endpoint) => {
      const rejections = watchRejections();
      const app = await endpoint.start(kmsJwtOver(new LocalKms({ keys: [{ alias: 'auth' }] })));
      onTestFinished(async () => void (await app.close()));
      const received = await app.call(guard === 'BrokenGuard' ? 'any' : undefined);
      // With @GrpcStreamCall() only the guard can end the call; otherwise Nest's filter ends it with UNKNOWN.
      expect(received).toMatchObject(
        name.includes('@GrpcStreamCall()') ? { code: 13, details: 'Internal Server Error' } : { code: 2 },
      );
      expect(JSON.stringify(received)).not.toContain('unavailable');
      expect(rejections).toEqual([]);
    },
  );
});

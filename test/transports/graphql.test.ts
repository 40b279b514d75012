import { UseGuards } from '@nestjs/common';
import { Field, ObjectType, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { Claims, InjectKmsJwt, KmsJwtGuard, KmsJwtService, OptionalAuth, Public } from 'nestjs-kms-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ask, graphqlModule, start } from './support.js';

describe('a GraphQL request', () => {
  @UseGuards(KmsJwtGuard)
  @Resolver()
  class FieldsResolver {
    constructor(@InjectKmsJwt('internal') private readonly internal: KmsJwtService) {}

    @Query(() => String, { nullable: true }) closed(@Claims('sub') sub: string) {
      return sub;
    }
    @UseGuards(KmsJwtGuard.named('internal')) @Query(() => String, { nullable: true }) internalOnly(
      @Claims('sub') sub: string,
    ) {
      return sub;
    }
    @Public() @Query(() => String) open() {
      return 'open';
    }
    @OptionalAuth() @Query(() => String) optional(@Claims('sub') sub?: string) {
      return sub ?? 'nobody';
    }
    @Public() @Query(() => String) internalToken() {
      return this.internal.sign({ sub: 'service' });
    }
  }

  test('is refused field by field, and public fields are answered', async () => {
    const { url } = await start({ providers: [FieldsResolver], imports: [graphqlModule()] });
    expect(await ask(url, '{ open closed optional }')).toEqual({
      data: { open: 'open', closed: null, optional: 'nobody' },
      errors: [
        {
          message: 'The request carries no bearer token',
          path: ['closed'],
          locations: expect.any(Array),
          extensions: { code: 'UNAUTHENTICATED', errorCode: 'token_missing' },
        },
      ],
    });
  });

  test('gives each field the claims that its own guard verified', async () => {
    const { url, jwt } = await start({ providers: [FieldsResolver], imports: [graphqlModule()] });
    const own = await ask(url, '{ closed internalOnly again: closed }', await jwt.sign({ sub: 'user-42' }));
    expect(own.data).toEqual({ closed: 'user-42', internalOnly: null, again: 'user-42' });
    const { internalToken } = (await ask(url, '{ internalToken }')).data;
    const internal = await ask(url, '{ closed internalOnly }', internalToken ?? '');
    expect(internal.data).toEqual({ closed: null, internalOnly: 'service' });
    expect(internal.errors).toMatchObject([
      { path: ['closed'], extensions: { errorCode: 'token_key_unknown' } },
    ]);
  });

  test('never receives a stack trace of the library, not even in development', async () => {
    const { NODE_ENV } = process.env;
    onTestFinished(() => void (process.env.NODE_ENV = NODE_ENV));
    delete process.env.NODE_ENV;
    const { url } = await start({ providers: [FieldsResolver], imports: [graphqlModule()] });
    const answer = JSON.stringify(await ask(url, '{ closed }'));
    expect(answer).toContain('token_missing');
    expect(answer).not.toMatch(/\.[jt]s\b|file:|node:/);
  });

  @ObjectType()
  class Profile {
    @Field(() => String) id = 'profile';
    @Field(() => String) owner?: string;
  }

  @Resolver(() => Profile)
  class ProfileResolver {
    @UseGuards(KmsJwtGuard) @Query(() => Profile) profile() {
      return new Profile();
    }
    @ResolveField(() => String) owner(@Claims('sub') sub?: string) {
      return sub ?? 'nobody';
    }
    @Query(() => Profile) openProfile() {
      return new Profile();
    }
  }

  test('gives a @ResolveField() without a guard the claims of its root field only', async () => {
    const { url, jwt } = await start({
      providers: [ProfileResolver, FieldsResolver],
      imports: [graphqlModule()],
    });
    const query = '{ open openProfile { owner } profile { owner } again: profile { owner } last: open }';
    expect((await ask(url, query, await jwt.sign({ sub: 'user-42' }))).data).toEqual({
      open: 'open',
      openProfile: { owner: 'nobody' },
      profile: { owner: 'user-42' },
      again: { owner: 'user-42' },
      last: 'open',
    });
  });
});

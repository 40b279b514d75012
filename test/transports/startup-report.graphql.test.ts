import { Module, type Type, UseGuards } from '@nestjs/common';
import {
  Field,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  ResolveReference,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { type KmsJwtGuard, Public } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { appGuard, graphql, guardedBy, startAndRead, uncovered } from './startup-report.support.js';

@ObjectType()
class Order {
  @Field(() => String) id = '1';
}

const resolversOf = (guard: Type<KmsJwtGuard>) => {
  @Resolver(() => Order)
  class OrdersResolver {
    guard?: KmsJwtGuard;
    @UseGuards(guard) @Query(() => [Order]) orders() {
      return [];
    }
    @Query(() => String) hello() {
      return 'hello';
    }
    @Mutation(() => String) place() {
      return 'placed';
    }
    @Public() @Mutation(() => String) login() {
      return 'token';
    }
    @Subscription(() => String) async *placed() {
      yield { placed: '1' };
    }
    @ResolveField(() => String) owner() {
      return 'owner';
    }
    @UseGuards(guard) @ResolveField(() => String) price() {
      return 'price';
    }
    @Public() @ResolveField(() => String) title() {
      return 'title';
    }
    @ResolveReference() byReference() {
      return new Order();
    }
    @UseGuards(guard) @ResolveReference() byGuardedReference() {
      return new Order();
    }
    @ResolveReference() async byVerifiedReference(_reference: object, context: object, info: object) {
      await this.guard?.verifyReference(context, info);
      return new Order();
    }
    helper() {
      return 'helper';
    }
  }
  return [OrdersResolver];
};

const resolversAndAppGuard = (guard: Type<KmsJwtGuard>) => [...resolversOf(guard), appGuard(guard)];

const FIELDS = [
  'log',
  expect.stringMatching(
    /^Nest runs no guard for the fields of OrdersResolver \(owner, price\):.*fieldResolverEnhancers: \['guards'\]/,
  ),
];
const reference = (name: string) => [
  'warn',
  expect.stringMatching(
    new RegExp(`^Nest runs no guard for the reference resolver OrdersResolver.${name}:.*verifyReference`),
  ),
];

test('startup logs the resolvers that no KmsJwtGuard covers', async () => {
  const lines = await startAndRead({ providers: resolversOf, imports: [graphql()] });
  expect(lines).toEqual([
    uncovered('the GraphQL query OrdersResolver.hello'),
    uncovered('the GraphQL mutation OrdersResolver.place'),
    uncovered('the GraphQL subscription OrdersResolver.placed'),
    reference('byReference'),
    reference('byGuardedReference'),
    FIELDS,
  ]);
});

test('startup logs only fields and references if there is an APP_GUARD', async () => {
  expect(await startAndRead({ providers: resolversAndAppGuard, imports: [graphql()] })).toEqual([
    reference('byReference'),
    reference('byGuardedReference'),
    FIELDS,
  ]);
  const enhanced = [graphql({ fieldResolverEnhancers: ['guards'] })];
  expect(await startAndRead({ providers: resolversAndAppGuard, imports: enhanced })).toEqual([]);
});

test("startup logs only unguarded fields and references if fieldResolverEnhancers has 'guards'", async () => {
  const enhanced = [graphql({ fieldResolverEnhancers: ['guards'] })];
  const lines = await startAndRead({ providers: resolversOf, imports: enhanced });
  expect(lines.slice(3)).toEqual([
    reference('byReference'),
    ['log', expect.stringContaining('OrdersResolver (owner)')],
  ]);
});

test('startup logs no resolver without GraphQLModule, or of a module that it does not include', async () => {
  expect(await startAndRead({ providers: resolversOf })).toEqual([]);
  @Resolver()
  class HelloResolver {
    @Query(() => String) hello() {
      return 'hello';
    }
  }
  @Module({ providers: [HelloResolver] })
  class HelloModule {}
  @Module({ imports: [HelloModule] })
  class IncludedModule {}
  const lines = await startAndRead({
    controllers: (guard) => [guardedBy(guard).GuardedController],
    providers: resolversOf,
    imports: [graphql({ include: [IncludedModule] }), { module: IncludedModule }],
  });
  expect(lines).toEqual([uncovered('the GraphQL query HelloResolver.hello')]);
});

import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { APP_GUARD } from '@nestjs/core';
import {
  Args,
  Field,
  GraphQLModule,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { Claims, type JwtClaims, KmsJwtGuard, OptionalAuth, Public, Scopes } from 'nestjs-kms-jwt';
import { PLATFORMS } from '../../../transports/http.js';
import { InternalGuard, startApp } from '../apps.js';
import { random } from '../run.js';
import { SCOPE } from '../tokens.js';
import { type Answer, answer, SlowPipe, Witnessed } from '../witnesses.js';

@ObjectType('Answer')
class GraphqlAnswer implements Answer {
  @Field(() => String) call = '';
  @Field(() => String, { nullable: true }) sub: string | null = null;
  @Field(() => String, { nullable: true }) jti: string | null = null;
}

const ANSWER = [() => GraphqlAnswer, { nullable: true }] as const;
const CALL = () => Args('call', { type: () => String });

/** The events of a subscription, with a pause before each. */
async function* events(name: string, call: string, claims?: JwtClaims) {
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    yield { [name]: await answer(call, claims, claims?.sub) };
    await random.linger(800);
  }
}

@Resolver(() => GraphqlAnswer)
export class CallsResolver {
  @Witnessed() @Query(...ANSWER) mine(
    @CALL() call: string,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Scopes(SCOPE) @Witnessed() @Query(...ANSWER) scoped(
    @CALL() call: string,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }
  @Public() @Witnessed() @Query(...ANSWER) open(
    @CALL() call: string,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @OptionalAuth() @Witnessed() @Query(...ANSWER) optional(
    @CALL() call: string,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @Witnessed(InternalGuard) @Query(...ANSWER) internal(
    @CALL() call: string,
    @Claims() claims: JwtClaims,
    @Claims('sub', SlowPipe) sub: string,
  ) {
    return answer(call, claims, sub);
  }

  @Witnessed() @Subscription(...ANSWER) onMine(@CALL() call: string, @Claims() claims: JwtClaims) {
    return events('onMine', call, claims);
  }
  @Scopes(SCOPE) @Witnessed() @Subscription(...ANSWER) onScoped(
    @CALL() call: string,
    @Claims() claims: JwtClaims,
  ) {
    return events('onScoped', call, claims);
  }
  @Public() @Witnessed() @Subscription(...ANSWER) onOpen(@CALL() call: string, @Claims() claims?: JwtClaims) {
    return events('onOpen', call, claims);
  }
  @OptionalAuth() @Witnessed() @Subscription(...ANSWER) onOptional(
    @CALL() call: string,
    @Claims() claims?: JwtClaims,
  ) {
    return events('onOptional', call, claims);
  }
  @Witnessed(InternalGuard) @Subscription(...ANSWER) onInternal(
    @CALL() call: string,
    @Claims() claims: JwtClaims,
  ) {
    return events('onInternal', call, claims);
  }

  /** Has no guard, unless the app runs guards for nested fields: it has the claims of the parent field. */
  @ResolveField(...ANSWER) nested(
    @CALL() call: string,
    @Claims() claims?: JwtClaims,
    @Claims('sub', SlowPipe) sub?: string,
  ) {
    return answer(call, claims, sub);
  }
  @ResolveField(() => [GraphqlAnswer], { nullable: true }) list(
    @CALL() call: string,
    @Claims() claims?: JwtClaims,
  ) {
    return Promise.all([1, 2].map(() => answer(call, claims, claims?.sub)));
  }
}

/** The configuration of an app. */
export interface GraphqlVariant {
  platform: string;
  /** Whether the app runs guards for nested fields. */
  guardsFields: boolean;
  /** Whether all operations of a connection of graphql-ws have one context object. */
  sharesContext: boolean;
}

const contexts = new WeakMap<object, object>();

function contextOfConnection(connection: object): object {
  const context = contexts.get(connection) ?? { req: connection };
  contexts.set(connection, context);
  return context;
}

/** An app for queries over HTTP, and for queries and subscriptions over graphql-ws. */
export async function startGraphqlApp({ platform, guardsFields, sharesContext }: GraphqlVariant) {
  const newAdapter = PLATFORMS[platform];
  return startApp({
    ...(newAdapter && { adapter: newAdapter() }),
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        ...(guardsFields && { fieldResolverEnhancers: ['guards'] }),
        allowBatchedHttpRequests: true,
        subscriptions: {
          'graphql-ws': {
            connectionInitWaitTimeout: 60_000,
            ...(sharesContext && { context: contextOfConnection }),
          },
        },
      }),
    ],
    providers: [CallsResolver, { provide: APP_GUARD, useClass: KmsJwtGuard }],
  });
}

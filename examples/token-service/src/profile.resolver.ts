import { UseGuards } from '@nestjs/common';
import { Field, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { Claims, KmsJwtGuard } from 'nestjs-kms-jwt';

@ObjectType()
export class Profile {
  @Field()
  name!: string;

  @Field(() => [String])
  roles!: string[];
}

/** GraphQL: the token is in the same header as with HTTP. A refusal is an error with `extensions.code`. */
@Resolver()
export class ProfileResolver {
  @UseGuards(KmsJwtGuard)
  @Query(() => Profile)
  me(@Claims('sub') name: string, @Claims('roles') roles: string[]): Profile {
    return { name, roles };
  }
}

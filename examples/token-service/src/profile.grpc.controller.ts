import { Controller, UseGuards } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { Claims, KmsJwtGuard } from 'nestjs-kms-jwt';

/** gRPC: the token is in the metadata, `authorization: Bearer …`. A refusal has the status 16, 7 or 14. */
@Controller()
export class ProfileGrpcController {
  @UseGuards(KmsJwtGuard)
  @GrpcMethod('ProfileService', 'Me')
  me(_request: object, @Claims('sub') name: string) {
    return { name };
  }
}

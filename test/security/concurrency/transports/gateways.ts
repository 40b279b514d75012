import { type ExecutionContext, Inject, Injectable, type Type, UseGuards } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import {
  Claims,
  type JwtClaims,
  KmsJwtGuard,
  OptionalAuth,
  Public,
  Scopes,
  type TokenCarrier,
} from 'nestjs-kms-jwt';
import { InternalGuard } from '../apps.js';
import { SCOPE } from '../tokens.js';
import { answer, SlowPipe, Witnessed } from '../witnesses.js';

interface Message {
  call: string;
}

interface MessageWithToken extends Message {
  token?: string;
}

const answerTo = async (...args: Parameters<typeof answer>) => ({
  event: 'answer',
  data: await answer(...args),
});

/** Reads the token from each message, never from the handshake. */
@Injectable()
export class MessageTokenGuard extends KmsJwtGuard {
  protected override getToken(context: ExecutionContext): string | undefined {
    return context.switchToWs().getData<MessageWithToken>().token;
  }
}

/** Messages with the token of their connection. `namespace` is socket.io's. */
export function sessionGateway(namespace?: string): Type {
  @WebSocketGateway(namespace === undefined ? {} : { namespace })
  @UseGuards(KmsJwtGuard)
  class SessionGateway {
    @Witnessed() @SubscribeMessage('mine') mine(
      @MessageBody() { call }: Message,
      @Claims() claims: JwtClaims,
      @Claims('sub', SlowPipe) sub: string,
    ) {
      return answerTo(call, claims, sub);
    }
    @Scopes(SCOPE) @Witnessed() @SubscribeMessage('scoped') scoped(
      @MessageBody() { call }: Message,
      @Claims() claims: JwtClaims,
      @Claims('sub', SlowPipe) sub: string,
    ) {
      return answerTo(call, claims, sub);
    }
    @Public() @Witnessed() @SubscribeMessage('open') open(
      @MessageBody() { call }: Message,
      @Claims() claims?: JwtClaims,
      @Claims('sub', SlowPipe) sub?: string,
    ) {
      return answerTo(call, claims, sub);
    }
    @OptionalAuth() @Witnessed() @SubscribeMessage('optional') optional(
      @MessageBody() { call }: Message,
      @Claims() claims?: JwtClaims,
      @Claims('sub', SlowPipe) sub?: string,
    ) {
      return answerTo(call, claims, sub);
    }
    @Witnessed(InternalGuard) @SubscribeMessage('internal') internal(
      @MessageBody() { call }: Message,
      @Claims() claims: JwtClaims,
      @Claims('sub', SlowPipe) sub: string,
    ) {
      return answerTo(call, claims, sub);
    }
  }
  return SessionGateway;
}

/** Messages with separate tokens, over the same connections. */
export function messageTokenGateway(namespace?: string): Type {
  @WebSocketGateway(namespace === undefined ? {} : { namespace })
  @UseGuards(MessageTokenGuard)
  class MessageTokenGateway {
    @Witnessed() @SubscribeMessage('token/mine') mine(
      @MessageBody() { call }: MessageWithToken,
      @Claims() claims: JwtClaims,
      @Claims('sub', SlowPipe) sub: string,
    ) {
      return answerTo(call, claims, sub);
    }
    @Scopes(SCOPE) @Witnessed() @SubscribeMessage('token/scoped') scoped(
      @MessageBody() { call }: MessageWithToken,
      @Claims() claims: JwtClaims,
      @Claims('sub', SlowPipe) sub: string,
    ) {
      return answerTo(call, claims, sub);
    }
    @OptionalAuth() @Witnessed() @SubscribeMessage('token/optional') optional(
      @MessageBody() { call }: MessageWithToken,
      @Claims() claims?: JwtClaims,
      @Claims('sub', SlowPipe) sub?: string,
    ) {
      return answerTo(call, claims, sub);
    }
  }
  return MessageTokenGateway;
}

/** Accepts the connections of the other gateways on its namespace, and renews them. */
export function acceptingGateway(namespace?: string): Type {
  @WebSocketGateway(namespace === undefined ? {} : { namespace })
  class AcceptingGateway implements OnGatewayConnection {
    constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

    async handleConnection(client: { terminate?: unknown }, request: TokenCarrier) {
      // For `ws`, Nest passes the request with the socket.
      await this.guard.acceptConnection(client, client.terminate ? { request } : {});
    }

    @SubscribeMessage('renew') async renew(
      @ConnectedSocket() client: object,
      @MessageBody() { call, token = '' }: MessageWithToken,
    ) {
      try {
        const claims = await this.guard.renewConnection(client, token);
        return await answerTo(call, claims, claims.sub);
      } catch (error) {
        return { event: 'exception', data: { errorCode: (error as { code?: string }).code } };
      }
    }
  }
  return AcceptingGateway;
}

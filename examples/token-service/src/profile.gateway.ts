import { UseGuards } from '@nestjs/common';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Claims, KmsJwtGuard } from 'nestjs-kms-jwt';

/** socket.io: the token is in the handshake, `io(url, { auth: { token } })`. A refusal is an `exception` event. */
@WebSocketGateway()
export class ProfileGateway implements OnGatewayConnection {
  constructor(private readonly guard: KmsJwtGuard) {}

  async handleConnection(client: object): Promise<void> {
    await this.guard.acceptConnection(client, { gateway: this });
  }

  @UseGuards(KmsJwtGuard)
  @SubscribeMessage('me')
  me(@Claims('sub') name: string) {
    return { event: 'me', data: { name } };
  }
}

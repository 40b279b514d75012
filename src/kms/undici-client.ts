import {
  GetPublicKeyCommand,
  type GetPublicKeyCommandInput,
  type GetPublicKeyCommandOutput,
  KMSClient,
  type KMSClientConfig,
  SignCommand,
  type SignCommandInput,
  type SignCommandOutput,
  VerifyCommand,
  type VerifyCommandInput,
  type VerifyCommandOutput,
} from '@aws-sdk/client-kms';
import type { KmsCall, KmsClient } from './kms-client.js';
import type { UndiciHandler } from './undici-handler.js';

/**
 * A client that the library creates, with its own request handler. The SDK resolves the middleware of an operation only once,
 * because no command has its own: the data of a call is found by the command's input.
 */
export class UndiciClient implements KmsClient {
  private readonly client: KMSClient;
  private readonly calls = new WeakMap<object, KmsCall>();

  constructor(config: KMSClientConfig, requestHandler: UndiciHandler) {
    this.client = new KMSClient({ ...config, requestHandler, cacheMiddleware: true });
    this.client.middlewareStack.add(
      (next) => (args) => {
        const call = this.calls.get(args.input);
        if (call) {
          call.wasSent = true;
          requestHandler.limit(args.request as object, call.deadline);
        }
        return next(args);
      },
      { step: 'deserialize', priority: 'low', name: 'kmsCall' },
    );
  }

  getPublicKey(input: GetPublicKeyCommandInput, call: KmsCall): Promise<GetPublicKeyCommandOutput> {
    this.calls.set(input, call);
    return this.client.send(new GetPublicKeyCommand(input));
  }

  sign(input: SignCommandInput, call: KmsCall): Promise<SignCommandOutput> {
    this.calls.set(input, call);
    return this.client.send(new SignCommand(input));
  }

  verify(input: VerifyCommandInput, call: KmsCall): Promise<VerifyCommandOutput> {
    this.calls.set(input, call);
    return this.client.send(new VerifyCommand(input));
  }

  destroy(): void {
    this.client.destroy();
  }
}

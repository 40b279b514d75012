import {
  GetPublicKeyCommand,
  type GetPublicKeyCommandInput,
  type GetPublicKeyCommandOutput,
  type KMSClient,
  SignCommand,
  type SignCommandInput,
  type SignCommandOutput,
  VerifyCommand,
  type VerifyCommandInput,
  type VerifyCommandOutput,
} from '@aws-sdk/client-kms';
import type { Deadline } from '../async/deadline.js';

/** A call of KMS while it is in flight. */
export interface KmsCall {
  readonly deadline: Deadline;
  /** Whether the SDK has sent a request. Before that it waits for the credentials. */
  wasSent: boolean;
}

/** A client of the SDK, with the operations that are used. */
export interface KmsClient {
  getPublicKey(input: GetPublicKeyCommandInput, call: KmsCall): Promise<GetPublicKeyCommandOutput>;
  sign(input: SignCommandInput, call: KmsCall): Promise<SignCommandOutput>;
  verify(input: VerifyCommandInput, call: KmsCall): Promise<VerifyCommandOutput>;
  destroy(): void;
}

/** What the SDK accepts in addition to a command. */
export interface RequestOptions {
  /** Overrides the request timeout of the request handler, in milliseconds; 0 for none. */
  readonly requestTimeout?: number;
}

/** A client with a request handler of any kind: each command carries what belongs to its call. */
export class SdkClient implements KmsClient {
  constructor(
    private readonly client: KMSClient,
    private readonly options: RequestOptions = {},
  ) {}

  getPublicKey(input: GetPublicKeyCommandInput, call: KmsCall): Promise<GetPublicKeyCommandOutput> {
    const command = new GetPublicKeyCommand(input);
    noteRequest(command, call);
    return this.client.send(command, { ...this.options, abortSignal: call.deadline.signal });
  }

  sign(input: SignCommandInput, call: KmsCall): Promise<SignCommandOutput> {
    const command = new SignCommand(input);
    noteRequest(command, call);
    return this.client.send(command, { ...this.options, abortSignal: call.deadline.signal });
  }

  verify(input: VerifyCommandInput, call: KmsCall): Promise<VerifyCommandOutput> {
    const command = new VerifyCommand(input);
    noteRequest(command, call);
    return this.client.send(command, { ...this.options, abortSignal: call.deadline.signal });
  }

  destroy(): void {
    this.client.destroy();
  }
}

interface Command {
  readonly middlewareStack: { add: VerifyCommand['middlewareStack']['add'] };
}

function noteRequest({ middlewareStack }: Command, call: KmsCall): void {
  middlewareStack.add(
    (next) => (args) => {
      call.wasSent = true;
      return next(args);
    },
    { step: 'deserialize', priority: 'low' },
  );
}

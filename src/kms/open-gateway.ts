import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { regionOf } from './key-arn.js';
import { UndiciClient } from './undici-client.js';
import { SdkClient, type KmsClient, type RequestOptions } from './kms-client.js';
import { appClient, type KmsClients, OwnClients } from './kms-clients.js';
import type { KmsGateway } from './kms-gateway.js';
import { MultiRegionGateway } from './multi-region-gateway.js';
import { type GatewayLimits, type OperationEvent, SingleRegionGateway } from './single-region-gateway.js';
import { UndiciHandler } from './undici-handler.js';

export interface GatewaySettings {
  /** The key that signs: a key id, key ARN, alias name or alias ARN. */
  keyId: string;
  /** A client, the configuration of one, or a function that returns the client of a Region. */
  client: KMSClient | KMSClientConfig | ((region: string) => KMSClient);
  /** The Regions of a Multi-Region key, in the order of preference. Empty: the Region of the client. */
  regions: readonly string[];
  limits: GatewayLimits;
}

/** A change of the circuit of one operation. With `regions`, it names the Region. */
export type GatewayEvent = OperationEvent & { readonly region?: string };

/**
 * Opens the gateway to AWS KMS. This is the entry point of kms/: import it dynamically, as it loads the AWS SDK, an
 * optional peer dependency.
 *
 * @param onEvent called when a circuit of a Region opens and when it closes
 * @param now a monotonic clock in milliseconds
 */
export function openGateway(
  settings: GatewaySettings,
  onEvent: (event: GatewayEvent) => void,
  now: () => number = () => performance.now(),
): KmsGateway {
  const { keyId, client, regions, limits } = settings;
  if (regions.length === 0) {
    // An ARN names its Region, and KMS in any other Region does not know the key.
    const region = hasRegion(client) ? undefined : regionOf(keyId);
    return new SingleRegionGateway(clientsOf(settings, region, now), limits, onEvent, now);
  }
  const gatewayIn = (region: string) =>
    new SingleRegionGateway(
      clientsOf(settings, region, now),
      limits,
      (event) => onEvent({ ...event, region }),
      now,
    );
  return new MultiRegionGateway(
    new Map(regions.map((region) => [region, gatewayIn(region)])),
    limits.timeout,
    now,
  );
}

/** Verify has as many slots as Sign, and needs as many connections: neither must wait for connections of the other. */
const SLOTS_PER_CONCURRENCY = 2;

/** @param region undefined for the Region of the client */
function clientsOf(
  { client, limits }: GatewaySettings,
  region: string | undefined,
  now: () => number,
): KmsClients {
  if (typeof client === 'function') return appClient(client(region ?? ''));
  if (isClient(client)) return appClient(client);
  const config = { ...client, ...(region !== undefined && { region }) };
  return new OwnClients(
    client.requestHandler ? withHandlerOf(config, limits) : withOwnHandler(config, limits),
    now,
  );
}

function withOwnHandler(
  config: KMSClientConfig,
  { timeout, maxConcurrency }: GatewayLimits,
): () => KmsClient {
  const maxConnections = SLOTS_PER_CONCURRENCY * maxConcurrency;
  const requestHandler = new UndiciHandler({ timeoutMs: timeout, maxConnections });
  return () => new UndiciClient(config, requestHandler);
}

/** With the configured handler, or with one that has the configured options, which override those of the library. */
function withHandlerOf(config: KMSClientConfig, limits: GatewayLimits): () => KmsClient {
  const options = requestOptionsOf(config);
  let { requestHandler } = config;
  return () => {
    const client = new KMSClient({
      ...config,
      requestHandler: requestHandler && handlerOf(requestHandler, limits),
    });
    ({ requestHandler } = client.config);
    return new SdkClient(client, options);
  };
}

type RequestHandler = NonNullable<KMSClientConfig['requestHandler']>;

function handlerOf(
  requestHandler: RequestHandler,
  { timeout, maxConcurrency }: GatewayLimits,
): RequestHandler {
  if ('handle' in requestHandler) return requestHandler;
  const agent = { maxSockets: SLOTS_PER_CONCURRENCY * maxConcurrency };
  return {
    httpAgent: agent,
    httpsAgent: agent,
    // The SDK's STS client has the same handler, and no other limit: without this one, an STS that does not answer would occupy
    // a connection indefinitely. It is not less than the time limit of a call, or the SDK would send three requests to a slow KMS.
    requestTimeout: timeout,
    throwOnRequestTimeout: true,
    // It cannot be disabled for calls of KMS, so it must be longer than blocks of the event loop.
    socketTimeout: 10 * timeout,
    ...requestHandler,
  };
}

/**
 * Calls of KMS have a deadline, and need no `requestTimeout` of the library: after a block of the event loop, it would fire before
 * answers that have arrived meanwhile are read, and the SDK would send the requests again.
 */
function requestOptionsOf({ requestHandler = {} }: KMSClientConfig): RequestOptions {
  const isConfigured = 'handle' in requestHandler || 'requestTimeout' in requestHandler;
  return isConfigured ? {} : { requestTimeout: 0 };
}

function hasRegion(client: GatewaySettings['client']): boolean {
  return typeof client === 'object' && 'region' in client && client.region !== undefined;
}

function isClient(client: KMSClient | KMSClientConfig): client is KMSClient {
  return 'send' in client && typeof client.send === 'function';
}

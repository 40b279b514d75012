import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import type { CircuitEvent } from './circuit.js';
import { regionOf } from './key-arn.js';
import type { KmsGateway } from './kms-gateway.js';
import { MultiRegionGateway } from './multi-region-gateway.js';
import { type GatewayLimits, SingleRegionGateway } from './single-region-gateway.js';

export interface GatewaySettings {
  /** The key that signs: a key id, key ARN, alias name or alias ARN. */
  keyId: string;
  /** A client, the configuration of one, or a function that returns the client of a Region. */
  client: KMSClient | KMSClientConfig | ((region: string) => KMSClient);
  /** The Regions of a Multi-Region key, in the order of preference. Empty: the Region of the client. */
  regions: readonly string[];
  limits: GatewayLimits;
}

/** A change of the circuit of one Region. With `regions`, it names the Region. */
export type GatewayEvent = CircuitEvent & { readonly region?: string };

/**
 * Opens the gateway to AWS KMS. This is the entry point of kms/: import it dynamically, as it loads the AWS SDK, an
 * optional peer dependency.
 *
 * @param onEvent called when the circuit of a Region opens and when it closes
 */
export function openGateway(settings: GatewaySettings, onEvent: (event: GatewayEvent) => void): KmsGateway {
  const { keyId, client, regions, limits } = settings;
  if (regions.length === 0) {
    // An ARN names its Region, and KMS in any other Region does not know the key.
    const region = hasRegion(client) ? undefined : regionOf(keyId);
    return newGateway(settings, region, onEvent);
  }
  const gatewayIn = (region: string) =>
    newGateway(settings, region, (event) => onEvent({ ...event, region }));
  return new MultiRegionGateway(
    new Map(regions.map((region) => [region, gatewayIn(region)])),
    limits.timeout,
  );
}

/** @param region undefined for the Region of the client */
function newGateway(
  { client, limits }: GatewaySettings,
  region: string | undefined,
  onEvent: (event: CircuitEvent) => void,
): KmsGateway {
  if (typeof client === 'function') {
    return new SingleRegionGateway(client(region ?? ''), false, limits, onEvent);
  }
  if (isClient(client)) return new SingleRegionGateway(client, false, limits, onEvent);
  const agent = { maxSockets: limits.maxConcurrency };
  const requestHandler = {
    httpAgent: agent,
    httpsAgent: agent,
    // The SDK's client of STS has the same handler, and no other limit: credentials that hang once would never come back. No less
    // than the deadline of a call, or a slow KMS would be asked three times.
    requestTimeout: limits.timeout,
    throwOnRequestTimeout: true,
  };
  const ownClient = new KMSClient({ requestHandler, ...client, ...(region !== undefined && { region }) });
  return new SingleRegionGateway(ownClient, true, limits, onEvent);
}

function hasRegion(client: GatewaySettings['client']): boolean {
  return typeof client === 'object' && 'region' in client && client.region !== undefined;
}

function isClient(client: KMSClient | KMSClientConfig): client is KMSClient {
  return 'send' in client && typeof client.send === 'function';
}

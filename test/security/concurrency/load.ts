import { ledger } from './ledger.js';
import { random, SECONDS, WORKERS } from './run.js';
import type { User } from './tokens.js';
import type { Callers, Connection, RunningTransport, TransportUnderLoad } from './transport.js';

/** The longest duration of a burst: a longer one has lost an answer. */
const BURST_TIMEOUT_MS = 30_000;
/** The probability that a connection is replaced before its next burst. */
const CHURN = 0.2;
/** Additional time for a busy machine to open all connections and to make enough calls. */
const MAX_OVERTIME_MS = 60_000;

/** The slot for one connection of a user. */
interface Place {
  readonly transport: RunningTransport;
  readonly names: readonly string[];
  readonly user: User;
  connection?: Connection;
  isBusy: boolean;
}

export interface Load {
  /** The number of slots with an open connection at the end. */
  connections: number;
  /** The duration of each part, in seconds. */
  took: { start: number; calls: number; end: number };
}

/**
 * Starts the apps, opens all connections, keeps `WORKERS` of them busy for `SECONDS` and until there are enough calls,
 * and closes everything.
 */
export async function load(
  transports: readonly TransportUnderLoad[],
  signCallers: () => Promise<Callers>,
): Promise<Load> {
  const [running, start] = await timed(() => Promise.all(transports.map((transport) => transport.start())));
  // Only now, because some tokens end soon.
  const callers = await signCallers();
  const places = callers.users.flatMap((user) =>
    transports.flatMap((one, index) => placesOf(user, one, running[index])),
  );
  const [, calls] = await timed(() => keepBusy(places, callers));
  const connections = places.filter(({ connection }) => connection).length;
  const [, end] = await timed(async () => {
    for (const { connection } of places) await connection?.close();
    await Promise.all(running.map((one) => one.close()));
  });
  return { connections, took: { start, calls, end } };
}

async function keepBusy(places: Place[], callers: Callers): Promise<void> {
  const deadline = Date.now() + SECONDS * 1000;
  const unopened = shuffled(places);
  const nextPlace = () => {
    if (unopened.length > 0) return unopened.pop();
    if (Date.now() < deadline) return random.pick(places);
    const needed = places.filter(({ names }) =>
      names.some((name) => ledger.tally.missing(name, SECONDS).length > 0),
    );
    return needed.length > 0 && Date.now() < deadline + MAX_OVERTIME_MS ? random.pick(needed) : undefined;
  };
  const work = async () => {
    for (let place = nextPlace(); place; place = nextPlace()) {
      if (place.isBusy) await random.nap();
      // From then on, new connections supply missing kinds of tokens faster.
      else await use(place, callers, Date.now() < deadline ? CHURN : 1);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
}

function placesOf(
  user: User,
  { names, connectionsPerUser }: TransportUnderLoad,
  transport?: RunningTransport,
): Place[] {
  if (!transport) return [];
  return Array.from({ length: connectionsPerUser }, () => ({ transport, names, user, isBusy: false }));
}

/** One burst of calls, on a new connection if the last one has ended. */
async function use(place: Place, callers: Callers, churn: number): Promise<void> {
  place.isBusy = true;
  try {
    if (place.connection && random.chance(churn)) await closeConnection(place);
    if (!place.connection?.isOpen) place.connection = await place.transport.connect(place.user, callers);
    await withinTime(place.connection.burst());
  } catch (error) {
    ledger.report('unexpected answer', `${place.names.join()}: ${String(error)}`);
    await closeConnection(place);
  } finally {
    place.isBusy = false;
  }
}

async function closeConnection(place: Place): Promise<void> {
  const { connection } = place;
  delete place.connection;
  await connection?.close();
}

async function withinTime(burst: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), BURST_TIMEOUT_MS);
  });
  await Promise.race([burst, timeout]).finally(() => clearTimeout(timer));
}

async function timed<Result>(work: () => Promise<Result>): Promise<[Result, seconds: number]> {
  const start = performance.now();
  const result = await work();
  return [result, Math.round((performance.now() - start) / 100) / 10];
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, order: random.next() }))
    .toSorted((one, other) => one.order - other.order)
    .map(({ item }) => item);
}

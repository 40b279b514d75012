import { type Call, CALL_KINDS, type CallKind, kindOf } from './calls.js';

/** `lost`: the connection ended. `left out`: for example a GraphQL field below a refused one. */
const OUTCOMES = ['served', 'refused', 'lost', 'left out'] as const;
export type Outcome = (typeof OUTCOMES)[number];

type Counts = Record<Outcome, number>;
const NONE: Readonly<Counts> = { served: 0, refused: 0, lost: 0, 'left out': 0 };

/** The number of calls by transport, kind and outcome. */
export class Tally {
  private readonly rows = new Map<string, Map<CallKind, Counts>>();

  add(call: Call, outcome: Outcome): void {
    const byKind = this.rows.get(call.transport) ?? new Map<CallKind, Counts>();
    this.rows.set(call.transport, byKind);
    const kind = kindOf(call);
    const counts = byKind.get(kind) ?? { ...NONE };
    byKind.set(kind, counts);
    counts[outcome] += 1;
  }

  /** The kinds with fewer calls than the minimum on a transport, without those left out. */
  missing(transport: string, minimum: number): CallKind[] {
    const ofTransport = [...this.rows].filter(([row]) => row.split(',')[0] === transport);
    return CALL_KINDS.filter((kind) => {
      const counts = ofTransport.map(([, byKind]) => byKind.get(kind));
      const sum = counts.reduce((total, one) => total + (one ? one.served + one.refused + one.lost : 0), 0);
      return sum < minimum;
    });
  }

  /** The number of calls on all transports. */
  total(kind: CallKind): Counts {
    const sum = { ...NONE };
    for (const byKind of this.rows.values()) {
      const counts = byKind.get(kind) ?? NONE;
      for (const outcome of OUTCOMES) sum[outcome] += counts[outcome];
    }
    return sum;
  }

  /** For `console.table`: served/refused/lost of each kind. */
  table(): Record<string, Record<string, string>> {
    return Object.fromEntries(
      [...this.rows]
        .toSorted(([one], [other]) => one.localeCompare(other))
        .map(([row, byKind]) => [
          row,
          Object.fromEntries(CALL_KINDS.map((kind) => [kind, cellOf(byKind.get(kind))])),
        ]),
    );
  }
}

function cellOf(counts?: Counts): string {
  return counts ? `${counts.served}/${counts.refused}/${counts.lost}` : '';
}

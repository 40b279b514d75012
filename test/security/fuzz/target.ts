import type { Arbitrary } from 'fast-check';

/** An entry point of the library, the inputs generated for it, and the check of its answers. */
export interface Target<Input = unknown> {
  readonly inputs: Arbitrary<Input>;
  /**
   * @returns `accepted`, or the code of the error
   * @throws if the library violated its specification
   */
  judge(input: Input): Promise<string>;
  close(): Promise<void>;
}

/** The value that a call returned, or its error. */
export type Outcome<Value> =
  | { readonly verdict: 'accepted'; readonly value: Value; readonly error?: undefined }
  | { readonly verdict: string; readonly value?: undefined; readonly error: Error };

type ErrorKind = abstract new (...parameters: never[]) => Error & { readonly code: string };

/** @throws Error if the call throws another kind of error */
export async function outcomeOf<Value>(
  kind: ErrorKind,
  call: () => Value | Promise<Value>,
): Promise<Outcome<Value>> {
  try {
    return { verdict: 'accepted', value: await call() };
  } catch (error) {
    if (error instanceof kind) return { verdict: error.code, error };
    throw new Error(`It threw an error that is not a ${kind.name}`, { cause: error });
  }
}

/** @throws Error unless the condition holds */
export function must(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}

/** Whether two JSON values are equal at any depth: node:assert and JSON.stringify would overflow the stack. */
export function areSameJson(one: unknown, other: unknown): boolean {
  const pairs = [[one, other]];
  for (const [left, right] of pairs) {
    if (Object.is(left, right)) continue;
    if (!isObject(left) || !isObject(right) || Array.isArray(left) !== Array.isArray(right)) return false;
    const names = Object.keys(left);
    if (names.length !== Object.keys(right).length) return false;
    if (!names.every((name) => Object.hasOwn(right, name))) return false;
    pairs.push(...names.map((name) => [left[name], right[name]]));
  }
  return true;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

import { withDeadline, within } from '../async/deadline.js';
import { redactedCause } from '../errors/redacted-cause.js';

/**
 * Asks the app's own code, within a time limit.
 *
 * @param what the subject of the error message
 * @param Unavailable the error if there is no answer; the app may reject with one itself
 */
export async function askWithin<Answer>(
  timeout: number,
  ask: () => Promise<Answer>,
  what: string,
  Unavailable: new (message: string, options?: ErrorOptions) => Error,
): Promise<Answer> {
  try {
    return await withDeadline(
      ask,
      timeout,
      (blockedMs) => new Unavailable(`${what} did not answer ${within(timeout, blockedMs)}`),
    );
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    // A client of a database quotes the command that failed, and the claim in it.
    const cause = redactedCause(error, 'Left out, as it may quote the claims');
    throw new Unavailable(`${what} failed`, { cause });
  }
}

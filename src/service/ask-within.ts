import { withDeadline, within } from '../async/deadline.js';
import { redactedCause } from '../errors/redacted-cause.js';

/**
 * Asks the app's own code, within a time limit.
 *
 * @param what the subject of the error message
 * @param Unavailable the class of the error if there is no answer; one that the app itself rejects with is passed on
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
    // A database client quotes the failed command, and the claim in it.
    const cause = redactedCause(error, 'Omitted, as it may quote the claims');
    throw new Unavailable(`${what} failed`, { cause });
  }
}

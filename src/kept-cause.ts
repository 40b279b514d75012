/**
 * What is kept of a foreign error as the cause of one of this library's own: its kind, and where to ask further. All else
 * may quote a token or a claim, or lead to the request that did not succeed, and loggers print it.
 *
 * @param message in the place of the error's own
 */
export function keptCause(error: unknown, message: string): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, code, $fault, $metadata } = error as SdkError;
  return Object.assign(new Error(message), {
    name,
    ...(code !== undefined && { code }),
    ...($fault !== undefined && { $fault }),
    ...($metadata !== undefined && { $metadata }),
  });
}

/** What the AWS SDK and Node add to an error. */
interface SdkError extends Error {
  code?: unknown;
  $fault?: unknown;
  $metadata?: unknown;
}

/** The output of an operation, as it goes into the JSON: blobs in base64, dates in seconds. Void is no body. */
export type Output = Readonly<Record<string, unknown>> | void;

/** A blob as AWS's JSON writes it. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** A date as AWS's JSON writes it: in seconds. */
export function seconds(date: Date): number {
  return date.getTime() / 1000;
}

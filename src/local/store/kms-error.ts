/** An error that AWS KMS answers with: the name and message a client sees, and the HTTP status. */
export class KmsError extends Error {
  constructor(
    override readonly name: string,
    message: string,
    readonly statusCode = 400,
  ) {
    super(message);
  }
}

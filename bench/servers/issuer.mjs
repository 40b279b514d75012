// Signs tokens in a separate process, so that signing affects neither the memory nor the time of the process that verifies.
// Every second token is forged.
import { forge, makeClaims, makeKey, signToken } from '../tokens.mjs';

const key = makeKey();
let next = 0;
process.on('message', (count) => {
  const tokens = [];
  while (tokens.length < count) {
    const token = signToken(key, makeClaims(next));
    next += 1;
    tokens.push(token, forge(token));
  }
  process.send(tokens);
});
process.on('disconnect', () => process.exit());
process.send({ jwk: key.jwk });

// Signs tokens in a process of its own, so that their making shows neither in the memory nor in the time of who verifies.
// Of each two tokens, the second is forged.
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

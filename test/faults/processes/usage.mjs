// Loaded into the service with --import: answers each message with what the service holds on to. A number is for how many
// milliseconds its event loop is blocked before that.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

process.on('message', (message) => {
  if (typeof message === 'number') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message);
  void tell();
});

async function tell() {
  collectGarbage();
  // What finalizers let go of is garbage only now.
  await setImmediate();
  collectGarbage();
  process.send({ heap: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo() });
}

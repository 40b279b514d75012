// Loaded into the service with --import: answers each message with the memory and the handles of the service. A message that is a
// number first blocks the event loop for so many milliseconds.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

process.on('message', (message) => {
  if (typeof message === 'number') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message);
  void report();
});

async function report() {
  collectGarbage();
  // Objects that finalizers have released can be collected only now.
  await setImmediate();
  collectGarbage();
  process.send({ heap: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo() });
}

// Loaded into the service with --import: answers each message with what the service holds on to.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

process.on('message', () => void tell());

async function tell() {
  collectGarbage();
  // What finalizers let go of is garbage only now.
  await setImmediate();
  collectGarbage();
  process.send({ heap: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo() });
}

// Fails before the build if a port is in use: node scripts/refuse-used-ports.mjs PORT=3000
import { createServer } from 'node:net';

for (const argument of process.argv.slice(2)) {
  const [name, standard] = argument.split('=');
  const port = Number(process.env[name] ?? standard);
  // The example itself refuses an invalid port.
  if (!(port > 0 && port <= 65_535) || (await isFree(port))) continue;
  console.error(`port ${port} is in use: set ${name} to another`);
  process.exit(1);
}

function isFree(port) {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', ({ code }) => resolve(code !== 'EADDRINUSE'));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

import { availableParallelism, cpus, totalmem } from 'node:os';

/** The machine and the Node.js version that the figures come from. */
export function describeMachine() {
  const [{ model }] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    machine: `${availableParallelism()} × ${model.trim()}, ${memory} GiB, ${process.platform} ${process.arch}`,
    node: `${process.version}, OpenSSL ${process.versions.openssl}`,
  };
}

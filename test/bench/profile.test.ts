import { expect, test } from 'vitest';
import { sharesOf } from '../../bench/profile.mjs';

const node = (id: number, functionName: string, url: string) => ({
  id,
  callFrame: { functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 },
});

test('a profile is summed by package, without idle time', () => {
  const nodes = [
    node(1, '(root)', ''),
    node(2, '(idle)', ''),
    node(3, '(garbage collector)', ''),
    node(4, 'send', 'file:///app/node_modules/@smithy/core/dist-cjs/index.js'),
    node(5, 'resolve', 'file:///app/node_modules/@aws-sdk/core/index.js'),
    node(6, 'request', 'file:///app/node_modules/undici/lib/api.js'),
    node(7, 'verify', 'file:///app/dist/esm/index.js'),
    node(8, 'write', 'node:net'),
    node(9, 'constructor', 'node:internal/crypto/sig'),
  ];
  const samples = [2, 3, 4, 5, 6, 7, 8, 9];
  const timeDeltas = [500, 10, 20, 20, 15, 25, 5, 5];
  expect(sharesOf({ nodes, samples, timeDeltas, startTime: 0, endTime: 600 })).toEqual([
    { name: 'AWS SDK', share: 0.4 },
    { name: 'nestjs-kms-jwt', share: 0.25 },
    { name: 'undici', share: 0.15 },
    { name: 'garbage collection', share: 0.1 },
    { name: 'HTTP and streams of Node.js', share: 0.05 },
    { name: 'node:crypto', share: 0.05 },
  ]);
});

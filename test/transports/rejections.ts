import { onTestFinished as onAnyTestFinished } from 'vitest';

/**
 * Collects unhandled rejections, each of which would end an app.
 *
 * @param onTestFinished the hook of the test context, if tests run concurrently
 */
export function watchRejections(onTestFinished = onAnyTestFinished): unknown[] {
  const rejections: unknown[] = [];
  const add = (reason: unknown) => void rejections.push(reason);
  process.on('unhandledRejection', add);
  onTestFinished(() => void process.off('unhandledRejection', add));
  return rejections;
}

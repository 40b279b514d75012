import { onTestFinished as onAnyTestFinished } from 'vitest';

/**
 * Rejections that nobody handled, which would have ended an app.
 *
 * @param onTestFinished that of the context, if tests run concurrently
 */
export function watchRejections(onTestFinished = onAnyTestFinished): unknown[] {
  const rejections: unknown[] = [];
  const add = (reason: unknown) => void rejections.push(reason);
  process.on('unhandledRejection', add);
  onTestFinished(() => void process.off('unhandledRejection', add));
  return rejections;
}

import { onTestFinished } from 'vitest';

/** Rejections that nobody handled, which would have ended an app. */
export function watchRejections(): unknown[] {
  const rejections: unknown[] = [];
  const add = (reason: unknown) => void rejections.push(reason);
  process.on('unhandledRejection', add);
  onTestFinished(() => void process.off('unhandledRejection', add));
  return rejections;
}

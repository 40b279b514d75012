import { Logger } from '@nestjs/common';
import { printableLine } from '../errors/printable.js';

/** The name of the registration without a `name` in `forRoot`. */
export const DEFAULT_NAME = 'default';

/** For how long a line that was just written is counted instead of written again. */
const REPEAT_WINDOW_MS = 10_000;
/** How many different lines are remembered. */
const MAX_REMEMBERED_LINES = 100;

/** The log of one registration. An outage is one line in ten seconds, however many requests it affects. */
export class Log {
  private readonly written = new Map<string, { at: number; repetitions: number }>();

  /**
   * @param registration the name of the module's registration: it is part of the context that Nest prints before each line
   * @param now milliseconds of a monotonic clock
   */
  constructor(
    registration: string,
    private readonly logger: Pick<Logger, 'log' | 'warn' | 'error'> = new Logger(contextOf(registration)),
    private readonly now: () => number = () => performance.now(),
  ) {}

  info(line: string): void {
    this.write('log', line);
  }

  warn(line: string): void {
    this.write('warn', line);
  }

  error(line: string): void {
    this.write('error', line);
  }

  private write(level: 'log' | 'warn' | 'error', text: string): void {
    // It may quote a foreign key set, a reply of KMS or an error of the app.
    const line = printableLine(text);
    const now = this.now();
    const last = this.written.get(line);
    if (last && now < last.at + REPEAT_WINDOW_MS) {
      last.repetitions += 1;
      return;
    }
    this.written.delete(line);
    this.written.set(line, { at: now, repetitions: 0 });
    const [oldest] = this.written.keys();
    if (this.written.size > MAX_REMEMBERED_LINES && oldest !== undefined) this.written.delete(oldest);
    const repeated = last?.repetitions
      ? ` (repeated ${last.repetitions} times since it was last logged)`
      : '';
    this.logger[level](line + repeated);
  }
}

function contextOf(registration: string): string {
  return registration === DEFAULT_NAME ? 'KmsJwt' : `KmsJwt:${registration}`;
}

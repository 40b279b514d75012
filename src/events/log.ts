import { Logger } from '@nestjs/common';

/** For how long a line that was written is counted instead of written again, in milliseconds. */
const QUIET = 10_000;
/** How many different lines are remembered. */
const REMEMBERED = 100;

/** What the library says of itself. An outage is one line in ten seconds, however many requests it meets. */
export class Log {
  private readonly written = new Map<string, { at: number; repetitions: number }>();

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    private readonly logger: Pick<Logger, 'log' | 'error'> = new Logger('KmsJwt'),
    private readonly now: () => number = () => performance.now(),
  ) {}

  info(line: string): void {
    this.write('log', line);
  }

  error(line: string): void {
    this.write('error', line);
  }

  private write(level: 'log' | 'error', line: string): void {
    const now = this.now();
    const last = this.written.get(line);
    if (last && now < last.at + QUIET) {
      last.repetitions += 1;
      return;
    }
    this.written.delete(line);
    this.written.set(line, { at: now, repetitions: 0 });
    const [oldest] = this.written.keys();
    if (this.written.size > REMEMBERED && oldest !== undefined) this.written.delete(oldest);
    const repeated = last?.repetitions
      ? ` (and ${last.repetitions} times more since this was last said)`
      : '';
    this.logger[level](line + repeated);
  }
}

/** Of this process. */
export const log = new Log();

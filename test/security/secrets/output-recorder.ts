import { ConsoleLogger, type LoggerService, LOG_LEVELS, type LogLevel } from '@nestjs/common';
import { onTestFinished, vi } from 'vitest';
import { printed } from './printed.js';

/** Records the output of the process, until the end of the test. */
export class OutputRecorder {
  readonly recorded = new Set<string>();

  constructor() {
    for (const method of ['debug', 'dir', 'error', 'info', 'log', 'trace', 'warn'] as const) {
      vi.spyOn(console, method).mockImplementation((...values: unknown[]) => this.record(...values));
    }
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((chunk) => {
        this.record(Buffer.from(chunk as string).toString());
        return true;
      });
    }
    const record = (value: unknown) => this.record(value);
    vi.spyOn(process, 'emitWarning').mockImplementation(record);
    process.on('warning', record).on('unhandledRejection', record);
    onTestFinished(() => {
      process.off('warning', record).off('unhandledRejection', record);
      vi.restoreAllMocks();
    });
  }

  record(...values: unknown[]): void {
    for (const text of values.flatMap(printed)) this.recorded.add(text);
  }

  /** Records a response: its status line, headers and body. */
  async recordResponse(response: Response): Promise<void> {
    const head = [response.statusText, ...[...response.headers].map((header) => header.join(': '))];
    this.record(...head, await response.text());
  }

  /** Records the arguments of Nest's logger, and the output of its own loggers. */
  get logger(): LoggerService {
    const printers = [new ConsoleLogger(), new ConsoleLogger({ json: true })];
    const log =
      (level: LogLevel) =>
      (...values: [unknown]) => {
        this.record(...values);
        for (const printer of printers) printer[level](...values);
      };
    return Object.fromEntries(LOG_LEVELS.map((level) => [level, log(level)])) as unknown as LoggerService;
  }

  /** A stream for loggers that need one. */
  get stream(): { write: (line: string) => void } {
    return { write: (line) => this.record(line) };
  }
}

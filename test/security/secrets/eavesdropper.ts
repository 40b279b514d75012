import { ConsoleLogger, type LoggerService, LOG_LEVELS, type LogLevel } from '@nestjs/common';
import { onTestFinished, vi } from 'vitest';
import { printed } from './printed.js';

/** Hears what a process says, until the end of the test. */
export class Eavesdropper {
  readonly heard = new Set<string>();

  constructor() {
    for (const method of ['debug', 'dir', 'error', 'info', 'log', 'trace', 'warn'] as const) {
      vi.spyOn(console, method).mockImplementation((...values: unknown[]) => this.hear(...values));
    }
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((chunk) => {
        this.hear(Buffer.from(chunk as string).toString());
        return true;
      });
    }
    const hear = (value: unknown) => this.hear(value);
    vi.spyOn(process, 'emitWarning').mockImplementation(hear);
    process.on('warning', hear).on('unhandledRejection', hear);
    onTestFinished(() => {
      process.off('warning', hear).off('unhandledRejection', hear);
      vi.restoreAllMocks();
    });
  }

  hear(...values: unknown[]): void {
    for (const text of values.flatMap(printed)) this.heard.add(text);
  }

  /** A response: its status line, its headers and its body. */
  async hearAnswer(response: Response): Promise<void> {
    const head = [response.statusText, ...[...response.headers].map((header) => header.join(': '))];
    this.hear(...head, await response.text());
  }

  /** What Nest is told to log, as it came, and as Nest's own loggers print it. */
  get logger(): LoggerService {
    const printers = [new ConsoleLogger(), new ConsoleLogger({ json: true })];
    const log =
      (level: LogLevel) =>
      (...values: [unknown]) => {
        this.hear(...values);
        for (const printer of printers) printer[level](...values);
      };
    return Object.fromEntries(LOG_LEVELS.map((level) => [level, log(level)])) as unknown as LoggerService;
  }

  /** A stream for loggers that want one. */
  get stream(): { write: (line: string) => void } {
    return { write: (line) => this.hear(line) };
  }
}

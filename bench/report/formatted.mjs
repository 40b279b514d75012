import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

/** Formats with the configuration of the project, so that `npm run format:check` accepts the file. */
export async function formatted(text, parser) {
  const config = await resolveConfig(fileURLToPath(new URL('../main.mjs', import.meta.url)));
  return format(text, { ...config, parser });
}

import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

/** As the project formats its files, so that its own check accepts them. */
export async function formatted(text, parser) {
  const config = await resolveConfig(fileURLToPath(new URL('../main.mjs', import.meta.url)));
  return format(text, { ...config, parser });
}

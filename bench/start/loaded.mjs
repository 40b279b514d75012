// Which scripts this process has loaded, ES modules and CommonJS alike: the debugger is told of each.
import { Session } from 'node:inspector';

/** Begins to watch. @returns {() => string[]} the scripts of the AWS SDK since then */
export function watchAwsScripts() {
  const urls = new Set();
  const session = new Session();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params }) => urls.add(params.url));
  session.post('Debugger.enable');
  return () => [...urls].filter((url) => /node_modules\/@(?:aws-sdk|smithy)\//.test(url));
}

// The scripts that this process loads, as ES modules or CommonJS: the debugger reports each of them.
import { Session } from 'node:inspector';

/** @returns {() => string[]} the scripts of the AWS SDK that were loaded since this call */
export function watchAwsScripts() {
  const urls = new Set();
  const session = new Session();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params }) => urls.add(params.url));
  session.post('Debugger.enable');
  return () => [...urls].filter((url) => /node_modules\/@(?:aws-sdk|smithy)\//.test(url));
}

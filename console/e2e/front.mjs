// Serves `dist` and hands the rest to a server, so that a console can be looked at before it is in a binary:
//   node e2e/front.mjs URL_OF_A_SERVER [PORT]

import { readFile } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

/** A server of the console in front of `base`, or of what `base` will be. */
export function startFront(base, port = 0) {
  const front = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://front');
    if (url.pathname.startsWith('/v1/')) {
      const headers = { ...request.headers, host: new URL(base).host };
      if (headers.origin) headers.origin = base;
      const behind = ask(base + request.url, { method: request.method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      });
      behind.on('error', () => response.destroy());
      response.on('close', () => behind.destroy());
      request.pipe(behind);
      return;
    }
    const safe = normalize(decodeURIComponent(url.pathname)).replace(/^(\.\.[/\\])+/, '');
    const bytes = await readFile(join(DIST, safe)).catch(() => null);
    const page = bytes ? null : await readFile(join(DIST, 'index.html')).catch(() => 'not built: npm run build');
    response.writeHead(200, { 'content-type': TYPES[bytes ? extname(safe) : '.html'] ?? 'application/octet-stream' });
    response.end(bytes ?? page);
  });
  return new Promise((done) => front.listen(port, '127.0.0.1', () => done({ base: `http://127.0.0.1:${front.address().port}`, stop: () => { front.closeAllConnections(); front.close(); } })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , base, port] = process.argv;
  console.log(`the console in front of ${base}: ${(await startFront(base, Number(port ?? 0))).base}`);
}

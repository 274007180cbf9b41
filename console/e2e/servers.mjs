// Servers for the browser test: each on ports and in a folder of its own, ended by its own process.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startFront } from './front.mjs';

const run = promisify(execFile);
const START_LIMIT_MS = 30_000;

export function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

export async function available(programs) {
  const missing = [];
  for (const program of programs) await run('sh', ['-c', `command -v ${program}`]).catch(() => missing.push(program));
  return { missing };
}

export async function ask(base, sql, params = {}) {
  const response = await fetch(`${base}/v1/console/query`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql, params }) });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error?.message ?? `status ${response.status}`);
  return body;
}

/** The lines of psql's answer, columns by `|`, NULL as nothing. */
export async function psql(server, sql) {
  const [host, port] = server.postgres.split(':');
  const { stdout } = await run('psql', ['-h', host, '-p', port, '-U', 'arus', '-d', 'arus', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-c', sql], { timeout: 20_000 });
  return stdout.split('\n').filter(Boolean);
}

function supervise(command, args, base) {
  let child;
  let text = '';
  const server = {
    base,
    startedAt: 0,
    fresh: true,
    said: () => text,
    pid: () => child.pid,
    async start() {
      server.startedAt = Date.now();
      child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      const hear = (chunk) => { text = (text + chunk).slice(-20_000); };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      const current = child;
      const until = Date.now() + START_LIMIT_MS;
      for (;;) {
        if (current.exitCode !== null) throw new Error(`the server ended with ${current.exitCode}:\n${text}`);
        const answer = await fetch(`${base}/v1/console/server`).catch(() => null);
        if (answer?.ok) {
          server.doors = (await answer.json()).doors;
          server.postgres = server.doors.postgres;
          return;
        }
        if (Date.now() > until) await server.kill('SIGKILL');
        if (Date.now() > until) throw new Error(`no answer from ${base} within ${START_LIMIT_MS / 1000} s:\n${text}`);
        await new Promise((wake) => setTimeout(wake, 50));
      }
    },
    async kill(signal) {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((done) => child.once('exit', done));
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    },
    restart: () => server.start(),
    stop: () => server.kill('SIGTERM'),
  };
  return server;
}

/** With `front` the pages come from `dist`, not from the binary. */
export async function startArus(binary, command, ports, front = false) {
  const own = ports ?? { http: await freePort(), postgres: await freePort(), kafka: await freePort() };
  const folder = mkdtempSync(join(tmpdir(), 'arus-console-'));
  const args = [...command, '--data', folder, '--http-port', String(own.http), '--pg-port', String(own.postgres), '--kafka-port', String(own.kafka)];
  const server = supervise(binary, args, `http://127.0.0.1:${own.http}`);
  server.folder = folder;
  const stop = server.stop;
  server.stop = async () => {
    await stop();
    before?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  await server.start();
  const before = front ? await startFront(server.base) : null;
  if (before) server.base = before.base;
  return server;
}

export async function startMock(flags, ports) {
  const port = ports?.http ?? (await freePort());
  const script = fileURLToPath(new URL('../mock/server.mjs', import.meta.url));
  const server = supervise(process.execPath, [script, '--port', String(port), ...flags], `http://127.0.0.1:${port}`);
  await server.start();
  return server;
}

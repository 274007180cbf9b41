import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { guides } from './guides/plugin';

// `npm run dev` serves the sources and hands everything else to a server: the mock by default.
const server = process.env['ARUS_URL'] ?? 'http://127.0.0.1:8099';

export default defineConfig({
  plugins: [svelte(), guides()],
  build: {
    outDir: 'dist',
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    modulePreload: { polyfill: false },
  },
  // The server takes requests of its own pages alone: the proxy speaks as one of them.
  server: { proxy: { '/v1': { target: server, changeOrigin: true, headers: { origin: server } } } },
});

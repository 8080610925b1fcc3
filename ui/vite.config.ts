import { fileURLToPath } from 'node:url';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The shell's own policy, so that whatever it forbids fails here as well. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; base-uri 'none'; form-action 'none'";

/**
 * `$shell` is the only door to the outside. In mode `fake` (a browser without the desktop shell)
 * it leads to made-up, lively data; every other build gets the real one.
 */
export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  resolve: {
    alias: { $shell: at(mode === 'fake' ? './src/shell.fake.ts' : './src/shell.ts') },
  },
  clearScreen: false,
  server: { host: '127.0.0.1', port: 5173, strictPort: true, fs: { allow: ['..'] } },
  preview: {
    host: '127.0.0.1',
    port: 4173,
    strictPort: true,
    headers: { 'Content-Security-Policy': policy },
  },
  build: {
    target: ['safari16', 'chrome110'],
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
}));

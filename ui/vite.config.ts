import { fileURLToPath } from 'node:url';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

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
  preview: { host: '127.0.0.1', port: 4173, strictPort: true },
  build: {
    target: ['safari16', 'chrome110'],
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
}));

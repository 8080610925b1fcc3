import { fileURLToPath } from 'node:url';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [svelte()],
  resolve: {
    conditions: ['browser'],
    alias: {
      $shell: at('./src/shell.fake.ts'),
      $fake: at('./src/shell.fake.ts'),
      // Neither a layout nor a canvas exists here; the real window is tested elsewhere.
      'virtua/svelte': at('./tests/doubles/virtua.ts'),
      'lightweight-charts': at('./tests/doubles/charts.ts'),
    },
  },
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.ts'],
    setupFiles: ['tests/setup.ts'],
    restoreMocks: true,
    // A machine that builds meanwhile takes its time over the accessibility of a whole page.
    testTimeout: 30_000,
  },
});

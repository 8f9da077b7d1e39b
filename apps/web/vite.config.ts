import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/**
 * The page is served by the local world, which is also its source of configuration. Regions take
 * requests from that origin only, so `npm run dev` rebuilds what the world serves.
 */
export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2024',
    rolldownOptions: {
      // Schemas are for servers: without this the page would carry a whole schema library.
      treeshake: { manualPureFunctions: ['Type'] },
    },
  },
});

export { Manifest } from './config/manifest.ts';

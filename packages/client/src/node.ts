export { FileStorage } from './storage/file-storage.ts';

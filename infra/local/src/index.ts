export * from './child.ts';

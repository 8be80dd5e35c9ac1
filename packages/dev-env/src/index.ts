export * from './dev-manager.ts';
export * from './postgres.ts';
export * from './raw-tls.ts';
export * from './test-authority.ts';

export * from './dev-agent.ts';
export * from './dev-manager.ts';
export * from './eventually.ts';
export * from './kept-connection.ts';
export * from './postgres.ts';
export * from './raw-tls.ts';
export * from './splitting-proxy.ts';
export * from './test-authority.ts';

// Constants, functions and every type of what is on the wire; the schemas that check it are './schemas/index.ts'. Nothing
// here loads the library that they are made with: a command line starts anew for each command, and checks nothing.
export * from './agent.ts';
export * from './authorities.ts';
export * from './delegate-tokens.ts';
export * from './delegate-version.ts';
export * from './envelopes.ts';
export * from './errors.ts';
export * from './image-reference.ts';
export * from './logs.ts';
export * from './readiness.ts';
export * from './revocation.ts';
export type * from './schemas/index.ts';
export * from './tasks.ts';
export * from './upgrades.ts';
export * from './webhooks.ts';

export const nodeOptions: readonly string[];
export function serverOptions(): readonly string[];
export function serverEnvironment(): NodeJS.ProcessEnv;

export const nodeOptions: readonly string[];
export function serverEnvironment(): NodeJS.ProcessEnv;

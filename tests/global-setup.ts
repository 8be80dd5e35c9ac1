import { type PostgresServer, startSharedPostgres } from '@sallyport/dev-env';

let postgres: PostgresServer | undefined;

export async function globalSetup(): Promise<void> {
  postgres = await startSharedPostgres();
}

export async function globalTeardown(): Promise<void> {
  await postgres?.stop();
}

import { join } from 'node:path';
import { MAX_LOG_STREAM_BYTES, MAX_LOG_STREAM_LINES } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { AccountStore } from '../accounts/account-store.ts';
import { AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { Config, Secrets } from '../config/config.ts';
import { openLogDatabase } from '../database/log-database.ts';
import type { Schema } from '../database/schema.ts';
import type { Registration } from '../http/app.ts';
import { AccountBirths } from './account-births.ts';
import { ActiveTokens } from './active-tokens.ts';
import { BlobStorage } from './blob-storage.ts';
import { BlobStore } from './blob-store.ts';
import { LineStore } from './line-store.ts';
import { LineWriter } from './line-writer.ts';
import { LiveStreams } from './live-streams.ts';
import { LogArchiver } from './log-archiver.ts';
import { LogAuthentication, type LogAuthenticationParts, LogTokenVerifier } from './log-authentication.ts';
import { logGuard } from './log-guard.ts';
import { LogSeals } from './log-seals.ts';
import { LogService } from './log-service.ts';
import { LogRetention } from './retention.ts';
import { logRoutes } from './routes.ts';
import { StreamStore } from './stream-store.ts';
import { Tails } from './tails.ts';

export interface LogRoomParts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly masterKey: Buffer;
  /** The main database, which with PostgreSQL has the lines as well. */
  readonly database: Kysely<Schema>;
  readonly accounts: AccountStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly activeTokens: { activeIds(accountId: string): Promise<ReadonlySet<string>> };
  readonly apiKeys: LogAuthenticationParts['apiKeys'];
  readonly pinned: LogAuthenticationParts['pinned'];
  /** Makes the second door around what checks log tokens. */
  readonly doorWith: (verifier: LogTokenVerifier) => LogAuthenticationParts['door'];
}

/** What the manager reports of its logs. */
export interface LogCounts {
  readonly lines: number;
  readonly bytes: number;
  readonly tails: number;
}

export interface LogRoom {
  readonly authentication: LogAuthentication;
  readonly guard: ReturnType<typeof logGuard>;
  readonly routes: Registration;
  readonly counts: LogCounts;
  /** Ends the tails; what was acknowledged is stored. */
  close(): Promise<void>;
}

/** Builds the log service's own services, from the parts of the manager that they need; `context.ts` calls it once. */
export async function openLogRoom(parts: LogRoomParts): Promise<LogRoom> {
  const { config, secrets, bus, clock, logger } = parts;
  const own = config.usesPostgres ? null : await openLogDatabase(join(config.dataDirectory, 'sallyport-logs.db'));
  const database = own?.database ?? parts.database;
  const storage = await BlobStorage.open({
    folder: config.dataDirectory,
    s3: config.logs.s3,
    credentials: secrets.s3Credentials,
  });
  const seals = new LogSeals(parts.masterKey);
  const births = new AccountBirths(parts.accounts, bus);
  const verifier = new LogTokenVerifier({
    ...{ seals, births, clock },
    activeTokens: new ActiveTokens(parts.activeTokens, bus, clock),
  });
  const authentication = new LogAuthentication({
    ...{ seals, births, verifier, clock, apiKeys: parts.apiKeys, pinned: parts.pinned },
    door: parts.doorWith(verifier),
  });
  const bounds = { lines: MAX_LOG_STREAM_LINES, bytes: MAX_LOG_STREAM_BYTES };
  const streams = new StreamStore(database);
  const lines = new LineStore(database);
  const blobs = new BlobStore(database);
  const live = new LiveStreams({ streams, lines, bounds, bus, logger, replicated: config.usesPostgres });
  const writer = new LineWriter(lines, clock, (appended) => live.written(appended));
  const onEnded = (streamId: string) => live.ended(streamId);
  const archiver = new LogArchiver({ streams, lines, blobs, storage, clock, logger, onEnded });
  const retention = new LogRetention({
    ...{ streams, archiver, blobs, storage, births, clock, logger },
    limits: config.logs.retention,
  });
  const logs = new LogService({ streams, writer, live, archiver, blobs, storage, clock });
  const tails = new Tails({ streams, live, blobs, storage, bus, logger });
  // What a process that was killed had closed and not stored.
  if (own?.isNew !== true) void archiver.sweep(!config.usesPostgres).then(() => retention.sweep());
  return {
    authentication,
    guard: logGuard(authentication),
    routes: logRoutes({ logs, tails, authentication, seals, clock, audit: new AuditStore(parts.database) }),
    counts: {
      get lines() {
        return writer.lines;
      },
      get bytes() {
        return writer.bytes;
      },
      get tails() {
        return tails.size;
      },
    },
    close: async () => {
      tails.stop();
      await writer.drain();
      await retention.stop();
      await archiver.stop();
      await live.stop();
      await own?.close();
    },
  };
}

import type { S3Credentials, S3Settings } from '../logs/blob-storage.ts';
import type { RetentionLimits } from '../logs/retention.ts';

/** Where finished logs are kept, and for how long. */
export interface LogSettings {
  readonly retention: RetentionLimits;
  /** Null: in the data folder. */
  readonly s3: S3Settings | null;
}

export const LOG_SETTINGS = [
  'SALLYPORT_LOG_RETENTION_DAYS',
  'SALLYPORT_LOG_RETENTION_MIB',
  'SALLYPORT_LOG_S3_BUCKET',
  'SALLYPORT_LOG_S3_REGION',
  'SALLYPORT_LOG_S3_ENDPOINT',
  'SALLYPORT_LOG_S3_ACCESS_KEY_ID',
  'SALLYPORT_LOG_S3_SECRET_ACCESS_KEY',
] as const;
type LogSetting = (typeof LOG_SETTINGS)[number];

const DEFAULT_DAYS = 30;
const DEFAULT_MIB = 1_024;

export interface SettingReader {
  value(name: LogSetting): string | null;
  integer(name: LogSetting, fallback: number, minimum: number, maximum: number): number;
  problem(text: string): void;
}

export function readLogSettings(from: SettingReader): { settings: LogSettings; credentials: S3Credentials | null } {
  const bucket = from.value('SALLYPORT_LOG_S3_BUCKET');
  const endpoint = from.value('SALLYPORT_LOG_S3_ENDPOINT');
  const accessKeyId = from.value('SALLYPORT_LOG_S3_ACCESS_KEY_ID');
  const secretAccessKey = from.value('SALLYPORT_LOG_S3_SECRET_ACCESS_KEY');
  if (bucket === null && (endpoint ?? accessKeyId ?? secretAccessKey ?? null) !== null) {
    from.problem('SALLYPORT_LOG_S3_BUCKET is needed with the other SALLYPORT_LOG_S3_ settings');
  }
  if (bucket !== null && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    from.problem(`SALLYPORT_LOG_S3_BUCKET: "${bucket}" is not the name of a bucket`);
  }
  if (endpoint !== null && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
    from.problem('SALLYPORT_LOG_S3_ENDPOINT: is not a URL such as https://s3.example.com, without path or credentials');
  }
  if ((accessKeyId === null) !== (secretAccessKey === null)) {
    from.problem(
      'SALLYPORT_LOG_S3_ACCESS_KEY_ID and SALLYPORT_LOG_S3_SECRET_ACCESS_KEY belong together: set both or none',
    );
  }
  const region = from.value('SALLYPORT_LOG_S3_REGION') ?? 'us-east-1';
  const mib = from.integer('SALLYPORT_LOG_RETENTION_MIB', DEFAULT_MIB, 0, 1_000_000_000);
  return {
    settings: Object.freeze({
      retention: Object.freeze({
        days: from.integer('SALLYPORT_LOG_RETENTION_DAYS', DEFAULT_DAYS, 0, 36_500),
        bytes: mib * 1_048_576,
      }),
      s3: bucket === null ? null : Object.freeze({ bucket, region, endpoint }),
    }),
    credentials: accessKeyId === null || secretAccessKey === null ? null : { accessKeyId, secretAccessKey },
  };
}

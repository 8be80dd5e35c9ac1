import { resolve } from 'node:path';
import type { RunningManager } from '@sallyport/manager';
import { Command, Option } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { type Running, runUntilSignal, startFailed } from '../foreground.ts';
import { example } from '../help.ts';
import type { Tools } from '../session.ts';

interface ServeOptions {
  readonly dataDir?: string;
  readonly publicListen?: string;
  readonly mtlsListen?: string;
  readonly baseDomain?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  readonly logLevel?: string;
}

export function serveCommand(tools: Tools): Command {
  return example(new Command('serve'), 'sallyport serve --data-dir /var/lib/sallyport')
    .description('run the control plane in the foreground; nothing is seeded, the first operator key is shown once')
    .option('--data-dir <folder>', 'SALLYPORT_DATA_DIR: database and generated keys (.sallyport when not given)')
    .option(
      '--public-listen <address>',
      'SALLYPORT_PUBLIC_LISTEN: API and plain delegates (127.0.0.1:7443 when not given)',
    )
    .option('--mtls-listen <address>', 'SALLYPORT_MTLS_LISTEN: mTLS endpoints (127.0.0.1:8443 when not given)')
    .option(
      '--base-domain <domain>',
      'SALLYPORT_BASE_DOMAIN: endpoints are PREFIX.agent.DOMAIN (localhost when not given)',
    )
    .option('--tls-certificate <file>', 'SALLYPORT_TLS_CERTIFICATE_FILE: server certificate with its chain, PEM')
    .option('--tls-key <file>', 'SALLYPORT_TLS_KEY_FILE: key of that certificate, PEM')
    .addOption(
      new Option('--log-level <level>', 'SALLYPORT_LOG_LEVEL (info when not given)').choices([
        'trace',
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .action((options: ServeOptions) => runUntilSignal(() => start(tools, settings(tools, options))));
}

async function start(tools: Tools, environment: Record<string, string | undefined>): Promise<Running> {
  const { ConfigError, createLogger, readConfig, startManager } = await import('@sallyport/manager');
  try {
    const { config, secrets } = readConfig(environment);
    const manager = await startManager(config, secrets, createLogger(config.logLevel));
    showFirstKey(tools, manager);
    return manager;
  } catch (error) {
    throw startFailed('The control plane', error, error instanceof ConfigError ? EXIT.usage : EXIT.failure);
  }
}

/** On standard error and not through the log, which is kept and read by others. */
function showFirstKey({ terminal }: Tools, manager: RunningManager): void {
  if (manager.firstOperatorKey === null) return;
  const { host, port } = manager.publicAddress;
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const ca = manager.developmentCaFile === null ? '' : ` --ca ${manager.developmentCaFile}`;
  terminal.stderr.write(
    `The first operator key, shown this once and kept only as a hash:\n  ${manager.firstOperatorKey}\n` +
      `Store it for the command line with:\n  sallyport login --url ${url}${ca}\n`,
  );
}

/** The environment with what the options say in its place. */
function settings(tools: Tools, options: ServeOptions): Record<string, string | undefined> {
  const given = {
    SALLYPORT_DATA_DIR: options.dataDir === undefined ? undefined : resolve(options.dataDir),
    SALLYPORT_PUBLIC_LISTEN: options.publicListen,
    SALLYPORT_MTLS_LISTEN: options.mtlsListen,
    SALLYPORT_BASE_DOMAIN: options.baseDomain,
    SALLYPORT_TLS_CERTIFICATE_FILE: options.tlsCertificate,
    SALLYPORT_TLS_KEY_FILE: options.tlsKey,
    SALLYPORT_LOG_LEVEL: options.logLevel,
  };
  return {
    ...tools.environment.variables,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

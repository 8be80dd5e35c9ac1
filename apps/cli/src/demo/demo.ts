import { createWriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningManager } from '@sallyport/manager';
import { openApi } from '../api.ts';
import type { Running } from '../foreground.ts';
import { writeProfile } from '../profiles.ts';
import type { Tools } from '../session.ts';
import { heading } from '../terminal.ts';
import { DelegateProcess } from './delegate-process.ts';
import { DEMO_ACCOUNT, DemoAccount } from './demo-account.ts';
import { DemoFiles } from './demo-files.ts';

const MTLS_DELEGATE = 'mtls-delegate';
const PLAIN_DELEGATE = 'plain-delegate';
const PROFILE = 'demo';
/** How long a delegate may take to connect before the demonstration goes on without it. */
const CONNECT_WITHIN_MS = 15_000;
const SCRIPT = 'echo "hello from $(uname -sn), $(date -u +%H:%M:%S)Z"';

/**
 * The demonstration: a control plane on loopback, the account acme with its endpoint, and two delegates as processes of
 * their own, one through the mTLS endpoint and one plain. Resolves when everything runs and the next steps are printed.
 */
export async function startDemo(tools: Tools): Promise<Running> {
  const { createLogger, readConfig, startManager } = await import('@sallyport/manager');
  const print = (text = '') => void tools.terminal.stdout.write(`${text}\n`);
  const { config, secrets } = readConfig(tools.environment.variables);
  const files = new DemoFiles(config.dataDirectory);
  const logger = createLogger(config.logLevel, createWriteStream(files.managerLog, { flags: 'a', mode: 0o600 }));

  const stopping: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const step of stopping.splice(0).reverse()) await step();
  };
  try {
    const manager = await startManager(config, secrets, logger);
    stopping.push(() => manager.stop());
    if (manager.firstOperatorKey !== null) files.writeOperatorKey(manager.firstOperatorKey);
    const connection = connectionOf(manager, files);
    await files.ensureCertificates(new Date());
    const api = await openApi(connection, {});
    stopping.push(() => api.close());
    const account = new DemoAccount(api);
    const endpoint = await account.ensure(files.caCertificate);
    // Whoever works with another control plane from here keeps on talking to that one.
    const profiles = await writeProfile(
      tools.environment.configDirectory,
      PROFILE,
      {
        url: connection.url,
        key: connection.key,
        account: DEMO_ACCOUNT,
        ...(connection.caFile !== undefined && { caFile: connection.caFile }),
      },
      { keepCurrent: true },
    );

    const { caFile } = connection;
    const common = {
      ACCOUNT_ID: DEMO_ACCOUNT,
      DELEGATE_TOKEN: await account.token(),
      DELEGATE_HEALTH_PORT: '0',
      ...(caFile !== undefined && { SALLYPORT_EXTRA_CA_FILE: caFile }),
    };
    const mtlsUrl = `https://${endpoint.fqdn}:${manager.mtlsAddress.port}`;
    const start = (name: string, environment: Record<string, string>) => {
      const onTrouble = (message: string) => print(`[${name}] ${message}`);
      const delegate = new DelegateProcess(
        {
          name,
          environment: { ...common, DELEGATE_NAME: name, ...environment },
          logFile: files.delegateLog(name),
          onTrouble,
        },
        tools.environment.variables,
      );
      stopping.push(() => delegate.stop());
    };
    start(MTLS_DELEGATE, {
      MANAGER_HOST_AND_PORT: mtlsUrl,
      DELEGATE_CLIENT_CERTIFICATE_PATH: files.clientCertificate,
      DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: files.clientKey,
    });
    start(PLAIN_DELEGATE, { MANAGER_HOST_AND_PORT: connection.url });

    print(
      heading(
        tools.terminal,
        manager.firstOperatorKey === null ? 'Sallyport demonstration (found its data)' : 'Sallyport demonstration',
      ),
    );
    const expected = endpoint.mode === 'STRICT' ? [MTLS_DELEGATE] : [MTLS_DELEGATE, PLAIN_DELEGATE];
    if (endpoint.mode === 'STRICT') print(`The endpoint is STRICT, as it was left: ${PLAIN_DELEGATE} will be refused.`);
    for (const name of await connected(account, expected)) print(await greeting(account, name));
    print(summary({ manager, files, profiles, mtlsUrl, publicUrl: connection.url }));
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function connectionOf(
  manager: RunningManager,
  files: DemoFiles,
): { url: string; key: string; caFile: string | undefined } {
  const key = files.readOperatorKey();
  if (key === null) {
    throw new Error(
      `the data folder has a database but no ${files.operatorKey}: it is not a demonstration's. ` +
        'Use "sallyport serve" for it, or set SALLYPORT_DATA_DIR to another folder',
    );
  }
  const url = `https://localhost:${manager.publicAddress.port}`;
  return { url, key, caFile: manager.developmentCaFile ?? undefined };
}

/** The names that connected in time, in the order given. */
async function connected(account: DemoAccount, names: readonly string[]): Promise<string[]> {
  const deadline = Date.now() + CONNECT_WITHIN_MS;
  for (;;) {
    const present = new Set((await account.connectedDelegates()).map(({ name }) => name));
    if (names.every((name) => present.has(name)) || Date.now() > deadline)
      return names.filter((name) => present.has(name));
    await sleep(100);
  }
}

async function greeting(account: DemoAccount, name: string): Promise<string> {
  const listing = (await account.connectedDelegates()).find((delegate) => delegate.name === name);
  const replica = listing?.delegateReplicas.find(({ connected: here }) => here);
  const via =
    replica?.transport === 'MTLS' ? `mTLS as ${replica.certificate?.subject}` : 'plain TLS, no client certificate';
  const task = await account.run(name, SCRIPT);
  const { stdout = '' } = (task.result ?? {}) as { stdout?: string };
  return `  ${name.padEnd(15)} ${via.padEnd(34)} task ${task.status}: ${stdout.trim() || task.error}`;
}

interface SummaryFacts {
  readonly manager: RunningManager;
  readonly files: DemoFiles;
  readonly profiles: string;
  readonly mtlsUrl: string;
  readonly publicUrl: string;
}

function summary({ files, profiles, mtlsUrl, publicUrl }: SummaryFacts): string {
  const command = `npx sallyport --profile ${PROFILE}`;
  return `
Listening
  API and plain delegates   ${publicUrl}   (${publicUrl}/openapi.json)
  mTLS endpoint of ${DEMO_ACCOUNT}     ${mtlsUrl}
Files
  operator's key            ${files.operatorKey}
  command line profile      ${profiles} (profile "${PROFILE}")
  CA and client certificate ${files.folder}
  logs                      ${files.folder}/*.log
Next, in another terminal
  ${command} delegate list
  ${command} endpoint mode STRICT     ${PLAIN_DELEGATE} is cut off here at once, and told why
  ${command} endpoint refusals
  ${command} task run --delegate ${MTLS_DELEGATE} -- uname -a
  ${command} endpoint mode LOOSE      ${PLAIN_DELEGATE} comes back by itself
Ctrl-C ends everything.`;
}

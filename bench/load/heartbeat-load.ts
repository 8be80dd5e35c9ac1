// Delegates on kept mTLS connections that register once and then send heartbeats.
import { connect, createSecureContext } from 'node:tls';
import { AgentTokenSource, Secret } from '@sallyport/client';
import { agentPaths, type RegisterRequest } from '@sallyport/protocol';
import { obey } from '../process/worker.ts';
import { HttpConnection } from './http-connection.ts';

export interface HeartbeatClients {
  readonly port: number;
  readonly serverName: string;
  readonly accountId: string;
  readonly token: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly delegates: number;
  /** Heartbeats that a delegate sends with one JWE before it makes the next. */
  readonly perToken: number;
}

export interface Heartbeats {
  readonly count: number;
  /** How many may be under way at once. */
  readonly concurrency: number;
}

interface Delegate {
  readonly connection: HttpConnection;
  readonly body: string;
  authorization: string;
  usesLeft: number;
}

const delegates: Delegate[] = [];
/** Made before they are needed, while no clock runs. */
const tokens: string[] = [];
let clients: HeartbeatClients | null = null;

const commands = {
  /** Resolves with the body of an answer to a heartbeat once every delegate is connected and registered. */
  async open(settings: HeartbeatClients): Promise<string> {
    clients = settings;
    const { certificatePem, privateKeyPem } = settings;
    const context = createSecureContext({ cert: certificatePem, key: privateKeyPem, minVersion: 'TLSv1.3' });
    let sample = '';
    for (let number = 0; number < settings.delegates; number += 1) {
      const socket = connect({
        host: '127.0.0.1',
        port: settings.port,
        servername: settings.serverName,
        secureContext: context,
        rejectUnauthorized: false,
      });
      const connection = new HttpConnection(socket);
      const authorization = await makeToken(settings);
      const registration = describe(settings.accountId, number);
      const answer = await connection.succeed(
        head(agentPaths.register, settings, authorization),
        JSON.stringify(registration),
      );
      const delegateId = readDelegateId(answer);
      const body = JSON.stringify({ ...registration, delegateId });
      // A fleet's delegates do not all make their next one at the same time.
      delegates.push({ connection, body, authorization, usesLeft: number % settings.perToken });
      sample = await connection.succeed(head(agentPaths.heartbeat, settings, authorization), body);
    }
    return sample;
  },

  /** Resolves when `count` heartbeats have been answered 200; rejects at the first that was not. */
  async run({ count, concurrency }: Heartbeats): Promise<void> {
    if (clients === null) throw new Error('open the connections first');
    const settings = clients;
    const { perToken } = settings;
    const needed = Math.ceil(count / perToken) + delegates.length - tokens.length;
    tokens.push(...(await Promise.all(Array.from({ length: Math.max(needed, 0) }, () => makeToken(settings)))));
    // A delegate that is in use is not chosen again before it is answered.
    const idle = [...delegates];
    let left = count;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        const delegate = idle.shift();
        if (delegate === undefined) throw new Error('more lanes than delegates');
        if (delegate.usesLeft === 0) {
          delegate.authorization = tokens.pop() ?? delegate.authorization;
          delegate.usesLeft = perToken;
        }
        delegate.usesLeft -= 1;
        await delegate.connection.succeed(head(agentPaths.heartbeat, settings, delegate.authorization), delegate.body);
        idle.push(delegate);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
  },
};

export type HeartbeatCommands = typeof commands;

function head(path: string, { accountId, serverName, port }: HeartbeatClients, authorization: string): string {
  return `POST ${path}?accountId=${accountId} HTTP/1.1\r\nhost: ${serverName}:${port}\r\nauthorization: ${authorization}\r\ncontent-type: application/json\r\naccept: application/json\r\nuser-agent: bench\r\n`;
}

/** Each call makes another JWE: its id is random. */
function makeToken({ accountId, token, serverName }: HeartbeatClients): Promise<string> {
  return new AgentTokenSource({
    accountId,
    token: new Secret(token),
    issuer: 'bench',
    audience: `https://${serverName}`,
  }).authorization();
}

function describe(accountId: string, number: number): RegisterRequest {
  return {
    accountId,
    delegateName: `bench-${number}`,
    delegateType: 'KUBERNETES',
    hostName: `bench-${number}-0`,
    ip: '10.0.0.1',
    version: '26.02.88404',
    ng: true,
    immutable: true,
    pollingModeEnabled: true,
    heartbeatAsObject: true,
    supportedTaskTypes: ['SHELL_SCRIPT_TASK_NG', 'HTTP_TASK_NG'],
    tags: ['bench', 'linux'],
  };
}

/** From the answer of a registration; a bare server that answers a constant gives whatever it gives. */
function readDelegateId(answer: string): string {
  const { resource } = JSON.parse(answer) as { resource?: { delegateId?: string } };
  return resource?.delegateId ?? 'none';
}

obey(commands);

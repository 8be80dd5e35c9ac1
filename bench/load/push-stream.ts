import { randomBytes } from 'node:crypto';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { AgentTokenSource, Secret } from '@sallyport/client';
import { agentPaths } from '@sallyport/protocol';

/** Where a delegate connects to, and as whose. */
export interface Destination {
  readonly port: number;
  readonly serverName: string;
  readonly accountId: string;
  /** The account's delegate token. */
  readonly token: string;
}

const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;
const OPCODE_PONG = 10;
const MASK_BIT = 0x80;
/** Long enough for the worst queue at a busy server, short enough to notice that nothing comes. */
const TIMEOUT_MS = 60_000;

/** A delegate: one that registers by its name, or one that is registered already, by its id. */
export type DelegateIdentity = { readonly name: string } | { readonly id: string };

/**
 * One delegate on one connection: it registers, unless it is registered, and with `stream` turns the connection into its
 * push stream, which it keeps as delegates do: it answers pings, and a closing frame. Resolves when that is done; rejects
 * with the refusal.
 */
export async function openDelegate(
  destination: Destination,
  secureContext: SecureContext,
  identity: DelegateIdentity,
  stream: boolean,
): Promise<TLSSocket> {
  const { port, serverName, accountId } = destination;
  const socket = connect({ host: '127.0.0.1', port, servername: serverName, secureContext, rejectUnauthorized: false });
  socket.setNoDelay(true);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  const authorization = await authorizationFor(destination);
  const head = (method: string, path: string) =>
    `${method} ${path}?accountId=${accountId} HTTP/1.1\r\nhost: ${serverName}:${port}\r\nauthorization: ${authorization}\r\n`;
  const id = 'id' in identity ? identity.id : await register(socket, head('POST', agentPaths.register), identity.name);
  if (stream) {
    const key = randomBytes(16).toString('base64');
    const upgrade = `upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`;
    const opened = await exchange(socket, head('GET', agentPaths.stream(id)) + upgrade);
    if (!opened.startsWith('HTTP/1.1 101 ')) throw new Error(`no stream: ${opened.slice(0, 600)}`);
    socket.on('data', (frames: Buffer) => answerFrames(socket, frames));
  }
  socket.setTimeout(0);
  socket.on('error', () => socket.destroy());
  return socket;
}

/** Resolves with the delegate's id; with a word, where a server that knows no delegates answers something else. */
async function register(socket: TLSSocket, head: string, name: string): Promise<string> {
  const body = JSON.stringify({ delegateName: name, hostName: name, version: '26.02.88404', tags: ['bench'] });
  const headers = `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const registered = await exchange(socket, head + headers + body);
  if (!registered.startsWith('HTTP/1.1 200 ')) throw new Error(`not registered: ${registered.slice(0, 600)}`);
  return /"delegateId":"([^"]+)"/.exec(registered)?.[1] ?? 'none';
}

/** Every account of a worker needs few tokens: one serves ten minutes. */
const tokens = new Map<string, AgentTokenSource>();

function authorizationFor({ accountId, token, serverName }: Destination): Promise<string> {
  let source = tokens.get(accountId);
  if (source === undefined) {
    source = new AgentTokenSource({ accountId, token: new Secret(token), issuer: 'bench', audience: serverName });
    tokens.set(accountId, source);
  }
  return source.authorization();
}

/** Sends a request and resolves with its answer, which is short and comes in one piece, or in head and body. */
function exchange(socket: TLSSocket, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const settle = () => {
      socket.off('data', onData);
      socket.off('error', reject);
      socket.off('close', onClose);
    };
    const onClose = () => reject(new Error(`closed after "${received.slice(0, 200)}"`));
    const onData = (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const end = received.indexOf('\r\n\r\n');
      if (end < 0 || received.length < end + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0)) return;
      settle();
      resolve(received);
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.once('close', onClose);
    socket.write(request);
  });
}

/** Frames of a server are unmasked, and the ones looked for are short. One cut in two by the network is not expected here. */
function answerFrames(socket: TLSSocket, frames: Buffer): void {
  for (let at = 0; at + 2 <= frames.length; ) {
    const opcode = (frames[at] ?? 0) & 0x0f;
    const length = (frames[at + 1] ?? 0) & 0x7f;
    const payload = frames.subarray(at + 2, at + 2 + length);
    if (length > 125) return;
    if (opcode === OPCODE_PING) socket.write(maskedFrame(OPCODE_PONG, payload));
    if (opcode === OPCODE_CLOSE) socket.write(maskedFrame(OPCODE_CLOSE, payload));
    at += 2 + length;
  }
}

/** With a mask of zeros, which leaves the payload as it is. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([MASK_BIT | opcode, MASK_BIT | payload.length, 0, 0, 0, 0]), payload]);
}

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Tally } from '../metrics/tally.ts';
import type { LimitName } from './gateway-counts.ts';

const ANSWERS: Readonly<Record<string, { readonly status: string; readonly limit: LimitName; readonly text: string }>> =
  {
    HPE_HEADER_OVERFLOW: {
      status: '431 Request Header Fields Too Large',
      limit: 'header_size',
      text: 'The headers are larger than 16 KiB. Send less.\n',
    },
    ERR_HTTP_REQUEST_TIMEOUT: {
      status: '408 Request Timeout',
      limit: 'request_time',
      text: 'The request took too long to arrive. Send its headers within 15 seconds, and all of it within 60.\n',
    },
  };
const MALFORMED = { status: '400 Bad Request', limit: null, text: 'This is not an HTTP request that can be read.\n' };

/** Answers what is no request, or never becomes one, in one line, and ends the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex, limits: Tally<LimitName>): void {
  const { status, limit, text } = ANSWERS[error.code ?? ''] ?? MALFORMED;
  if (limit !== null) limits.add(limit);
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const head = `HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\nconnection: close\r\n`;
  // A slow client is slow to close, too: it does not get to keep the connection by that.
  socket.end(`${head}\r\n${text}`, () => (socket as Socket).destroySoon());
}

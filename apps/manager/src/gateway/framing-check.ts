import type { IncomingMessage } from 'node:http';
import { SallyportError } from '@sallyport/protocol';

/**
 * A body ends where its length or its chunks say (RFC 9112 6.1, 6.3). Node's parser hands on a request with a transfer
 * coding that it does not know, and only then finds that it cannot tell where the body ends: by then it could have been
 * answered as one without a body. Throws INVALID_REQUEST; the parser ends the connection.
 */
export function checkFraming({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const coding = headers['transfer-encoding'];
  if (coding === undefined || coding.toLowerCase() === 'chunked') return;
  throw new SallyportError('INVALID_REQUEST', `The transfer coding '${coding.slice(0, 100)}' is not known here.`, {
    remedy: 'Send the body with Content-Length, or with Transfer-Encoding: chunked.',
  });
}

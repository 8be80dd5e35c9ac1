import { lineEvent, type Piece } from './live-stream.ts';

const LINE_FEED = 0x0a;
const MAX_PIECE_BYTES = 65_536;

/** The rows of a blob as events, from the row with the sequence number `from` on; the first row of it has `first`. */
export async function* blobEvents(
  content: AsyncIterable<Buffer>,
  first: number,
  from: number,
): AsyncGenerator<Piece, void, undefined> {
  let seq = first;
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of content) {
    const data = rest.length === 0 ? part : Buffer.concat([rest, part]);
    let events = '';
    let at = 0;
    for (let end = data.indexOf(LINE_FEED); end >= 0; end = data.indexOf(LINE_FEED, at)) {
      if (seq >= from) events += lineEvent(seq, data.toString('utf8', at, end));
      seq += 1;
      at = end + 1;
      if (events.length < MAX_PIECE_BYTES) continue;
      yield { bytes: Buffer.from(events), next: seq };
      events = '';
    }
    if (events !== '') yield { bytes: Buffer.from(events), next: seq };
    rest = data.subarray(at);
  }
}

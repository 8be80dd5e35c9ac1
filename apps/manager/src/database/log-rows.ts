type Millis = number;

/** What was written under a key between its opening and its end. */
export interface LogStreamRow {
  id: string;
  /** The account, as it was when it was made: an identifier that is given out again is another owner. */
  owner: string;
  /** UTF-8. Bytes, because two texts are the same key only when they are the same bytes, and one may hold U+0000. */
  key: Uint8Array;
  /** `closing`: ended, and not yet known to be in a blob. `closed`: it is, and late readers may still catch up. */
  state: 'open' | 'closing' | 'closed';
  /** Of its first line ever, of the first that is kept, and of the next one. */
  base_seq: number;
  first_seq: number;
  next_seq: number;
  /** Of the lines that are kept. */
  bytes: number;
  /** 1: its blob begins with the one that ends where this stream begins. */
  continues: number;
  opened_at: Millis;
  written_at: Millis;
  closed_at: Millis | null;
}

/** Lines that were written together, as NDJSON. */
export interface LogChunkRow {
  stream_id: string;
  first_seq: number;
  lines: number;
  size: number;
  body: Uint8Array;
}

/** What a stream has of a writer that numbers its lines: none up to this position is taken again. */
export interface LogWriterRow {
  stream_id: string;
  writer: string;
  last_pos: number;
}

/** An object of the blob storage. */
export interface LogBlobRow {
  /** Where it is stored: made of digests, so that no key can name a place. */
  name: string;
  owner: string;
  key: Uint8Array;
  /** `writing`: on its way, or left behind by a crash. `garbage`: replaced or deleted, to be removed from the storage. */
  state: 'writing' | 'current' | 'garbage';
  /** Before and after compression. */
  size: number;
  stored: number;
  created_at: Millis;
  /** Sequence numbers of its first row and after its last one; null for what a client has uploaded. */
  first_seq: number | null;
  next_seq: number | null;
  /** JSON: what it has of writers that number their lines, by writer. Null as above. */
  writers: string | null;
}

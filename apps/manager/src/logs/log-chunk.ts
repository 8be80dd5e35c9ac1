/** Lines that follow each other, as NDJSON: one JSON text a line, each with its newline. */
export interface Chunk {
  readonly lines: number;
  readonly body: Buffer;
}

export interface StoredChunk extends Chunk {
  readonly first: number;
}

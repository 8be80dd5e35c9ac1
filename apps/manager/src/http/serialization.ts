import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifySerializerCompiler } from 'fastify';

type Serialize = (data: unknown) => string;

const build = SerializerSelector()({}, {});
const made = new Map<string, Serialize>();

/** Fastify's own serializer of a schema; answers of the same shape share one. Throws for what is no schema. */
export function serializerOf(schema: unknown): Serialize {
  const shape = JSON.stringify(schema);
  const known = made.get(shape);
  if (known !== undefined) return known;
  const serialize = build({ schema, method: '', url: '', httpStatus: '' }) as Serialize;
  made.set(shape, serialize);
  return serialize;
}

/**
 * Each serializer is made at the first answer that needs it. Made at the start, those of all routes were a third of the
 * time that a manager takes to start, most of them for answers that are never given.
 */
export const serializerCompiler: FastifySerializerCompiler<unknown> = ({ schema }) => {
  let serialize: Serialize | undefined;
  return (data) => {
    serialize ??= serializerOf(schema);
    return serialize(data);
  };
};

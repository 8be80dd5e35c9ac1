import type { FieldError } from '@sallyport/protocol';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Value } from 'typebox/value';

interface Problem {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/**
 * Checks requests against their TypeBox schemas. Text is converted where text is all that can be sent (query, path,
 * headers), and defaults are filled in there; a body is taken as it is, so that `"false"` never counts as a boolean.
 * Each check is compiled at the first request that needs it, as `serialization.ts` says of answers.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  let check: Validator | undefined;
  let mayBeRight = httpPart === 'body';
  return (value: unknown) => {
    if (check === undefined) {
      check = Compile(schema);
      mayBeRight ||= !hasDefaults(schema);
    }
    // Converting costs several times what checking does, and most requests are right as they stand.
    if (mayBeRight && check.Check(value)) return { value };
    const converted = httpPart === 'body' ? value : Value.Default(schema, convert(schema, value));
    return check.Check(converted) ? { value: converted } : { error: [...check.Errors(converted)] as never };
  };
};

/** Text to what the schema asks for. Convert cuts 1.5 down to 1 for an integer: what is no whole number stays text, and is refused. */
function convert(schema: TSchema, value: unknown): unknown {
  const converted = Value.Convert(schema, isRecord(value) ? { ...value } : value);
  if (!isRecord(value) || !isRecord(converted) || !('properties' in schema)) return converted;
  for (const [name, property] of Object.entries(schema.properties as Record<string, { readonly type?: unknown }>)) {
    const given = value[name];
    if (property.type === 'integer' && typeof given === 'string' && !/^-?\d+$/.test(given)) converted[name] = given;
  }
  return converted;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function hasDefaults(schema: TSchema): boolean {
  return JSON.stringify(schema).includes('"default":');
}

/**
 * What is wrong with which field: one entry a field, in order. Values are not repeated, because a wrong one may be a
 * secret in the wrong place.
 */
export function explainValidation(problems: readonly Problem[], part: string): FieldError[] {
  const errors = new Map<string, string>();
  for (const problem of problems) {
    for (const { fieldId, error } of explain(problem, problems, part)) {
      if (!errors.has(fieldId)) errors.set(fieldId, error);
    }
  }
  return [...errors].map(([fieldId, error]) => ({ fieldId, error }));
}

function explain(problem: Problem, all: readonly Problem[], part: string): FieldError[] {
  const path = problem.instancePath.split('/').slice(1);
  const named = (names: unknown, error: string) =>
    (names as string[]).map((name) => ({ fieldId: [...path, name].join('.'), error }));
  if (problem.keyword === 'required' && 'requiredProperties' in problem.params) {
    return named(problem.params.requiredProperties, 'is required');
  }
  if (problem.keyword === 'additionalProperties' && 'additionalProperties' in problem.params) {
    return named(problem.params.additionalProperties, 'is not known here');
  }
  const fieldId = path.join('.') || part;
  // The schema `false`, which is what stands for the properties that are not named.
  if (problem.keyword === 'boolean') return [{ fieldId, error: 'is not known here' }];
  const choices = all.flatMap((other) =>
    other.keyword === 'const' && other.instancePath === problem.instancePath && 'allowedValue' in other.params
      ? [JSON.stringify(other.params.allowedValue)]
      : [],
  );
  return [{ fieldId, error: choices.length > 0 ? `must be one of ${choices.join(', ')}` : problem.message }];
}

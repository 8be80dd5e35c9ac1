import {
  type CreateTaskRequest,
  HTTP_TASK,
  MAX_TASK_SECRET_BYTES,
  SallyportError,
  SHORTEST_TASK_SECRET,
} from '@sallyport/protocol';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { SecretBox } from '../tokens/secret-box.ts';

const Secrets = Type.Record(Type.String(), Type.String());
export type Secrets = Record<string, string>;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

interface Place {
  readonly accountId: string;
  readonly taskId: string;
}

/** The secrets that tasks are given: in the clear only on their way in and on their way to the delegate. */
export class TaskSecrets {
  readonly #box: SecretBox;

  constructor(box: SecretBox) {
    this.#box = box;
  }

  /** The request's secrets, sealed for this one task; null when it has none. Throws INVALID_REQUEST. */
  seal(request: CreateTaskRequest, place: Place): string | null {
    const { secrets = {} } = request;
    if (Object.keys(secrets).length === 0) return null;
    check(request, secrets);
    return this.#box.seal(Buffer.from(JSON.stringify(secrets)), place);
  }

  open(sealed: string, place: Place): Secrets {
    return Value.Parse(Secrets, JSON.parse(this.#box.open(sealed, place).toString('utf8')));
  }
}

/** No message repeats a value. */
function check(request: CreateTaskRequest, secrets: Secrets): void {
  if (request.type === HTTP_TASK) {
    throw new SallyportError(
      'INVALID_REQUEST',
      `A task of type ${HTTP_TASK} has no process that could be given secrets.`,
    );
  }
  // Not by the schema: the names that do not fit would be taken out of the request, and the script run without them.
  const misnamed = Object.keys(secrets).find((name) => !VARIABLE.test(name));
  if (misnamed !== undefined) {
    throw new SallyportError('INVALID_REQUEST', `'${misnamed}' cannot be the name of an environment variable.`);
  }
  const unusable = Object.keys(secrets).find((name) => secrets[name]?.includes('\0'));
  if (unusable !== undefined) {
    throw new SallyportError('INVALID_REQUEST', `The secret '${unusable}' holds a NUL, which no environment can.`);
  }
  const bytes = Buffer.byteLength(Object.values(secrets).join(''));
  if (bytes > MAX_TASK_SECRET_BYTES) {
    throw new SallyportError(
      'INVALID_REQUEST',
      `The secrets have ${bytes} bytes together, more than ${MAX_TASK_SECRET_BYTES}.`,
    );
  }
  const short = Object.keys(secrets).find(
    (name) => Buffer.byteLength(secrets[name]?.trim() ?? '') < SHORTEST_TASK_SECRET,
  );
  if (short !== undefined) {
    throw new SallyportError(
      'INVALID_REQUEST',
      `The secret '${short}' has fewer than ${SHORTEST_TASK_SECRET} characters: it could not be masked in the output.`,
    );
  }
  const both = Object.keys(secrets).find((name) => isVariable(request.data, name));
  if (both !== undefined) {
    throw new SallyportError('INVALID_REQUEST', `'${both}' is given as a secret and as a variable; give it once.`);
  }
}

function isVariable(data: unknown, name: string): boolean {
  if (typeof data !== 'object' || data === null || !('environment' in data)) return false;
  return typeof data.environment === 'object' && data.environment !== null && Object.hasOwn(data.environment, name);
}

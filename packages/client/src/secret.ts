import { inspect } from 'node:util';

/**
 * A value that must not reach a log, an error or a report: printing, inspecting or serialising it shows a placeholder.
 * `reveal()` is the one way to the text, so that a search for it finds every place that uses a secret.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration, parseMoment } from './duration.ts';
import { usageError } from './errors.ts';
import { fullName } from './help.ts';
import type { Tools } from './session.ts';

const REQUIRED = new WeakSet<Option>();

/**
 * Marks an option that must be given. Commander's own mark is checked before misspelt options are, so that
 * `--prefx acme` would be answered with "--prefix is missing" and no word about the spelling.
 */
export function required(option: Option): Option {
  REQUIRED.add(option);
  option.description += ' (required)';
  return option;
}

/** Throws a usage error that names the first required option of the command which was not given. */
export function checkRequired(command: Command): void {
  const missing = command.options.find(
    (option) => REQUIRED.has(option) && command.getOptionValue(option.attributeName()) === undefined,
  );
  if (missing !== undefined) throw usageError(`${missing.flags} is missing.`, `Run "${fullName(command)} --help".`);
}

/** An option whose value is a moment in the future, as epoch milliseconds. */
export function momentOption(flags: string, description: string, tools: Pick<Tools, 'now'>): Option {
  return new Option(flags, `${description}; a duration such as 90d, or a date such as 2027-01-31`).argParser((text) => {
    const now = tools.now();
    const moment = parseMoment(text, now);
    if (moment === null) throw new InvalidArgumentError('Give a duration such as 90d, or a date such as 2027-01-31.');
    if (moment <= now) throw new InvalidArgumentError('That is in the past.');
    return moment;
  });
}

/** An option whose value is a duration, as milliseconds, between two limits. */
export function durationOption(flags: string, description: string, minimumMs: number, maximumMs: number): Option {
  return new Option(flags, description).argParser((text) => {
    const duration = parseDuration(text);
    if (duration === null) throw new InvalidArgumentError('Give a duration such as 30s, 5m or 1h30m.');
    if (duration < minimumMs || duration > maximumMs) {
      throw new InvalidArgumentError(`Give a duration from ${minimumMs / 1000}s to ${maximumMs / 1000}s.`);
    }
    return duration;
  });
}

/** An option whose value is a whole number between two limits. */
export function integerOption(flags: string, description: string, minimum: number, maximum: number): Option {
  return new Option(flags, description).argParser((text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= minimum && number <= maximum) return number;
    throw new InvalidArgumentError(`Give a whole number from ${minimum} to ${maximum}.`);
  });
}

/**
 * The value of an option or argument with a closed set of names, whatever case they are typed in, as the API calls it.
 * To be given after `.choices()`, which tells help and completion about the names.
 */
export function oneOf<T>(names: Readonly<Record<string, T>>): (text: string) => T {
  return (text) => {
    const value = Object.hasOwn(names, text.toLowerCase()) ? names[text.toLowerCase()] : undefined;
    if (value === undefined) throw new InvalidArgumentError(`Allowed: ${Object.keys(names).join(', ')}.`);
    return value;
  };
}

/** Collects the values of an option that may be given several times. */
export const repeated = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  value,
];

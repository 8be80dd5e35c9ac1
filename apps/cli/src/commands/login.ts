import { resolve } from 'node:path';
import type { ApiKey } from '@sallyport/protocol';
import { Command } from 'commander';
import { apiOrigin, type GlobalOptions } from '../connection.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import type { Output } from '../output/output.ts';
import { type Profile, type Profiles, removeProfile, writeProfile } from '../profiles.ts';
import { outputOf, storedProfiles, type Tools, warnOfKeyOnCommandLine } from '../session.ts';
import { ask, readAll } from '../terminal.ts';

const DEFAULT_PROFILE = 'default';

interface LoginOptions extends GlobalOptions {
  readonly apiKeyStdin?: boolean;
}

export function loginCommand(tools: Tools): Command {
  return example(new Command('login'), 'sallyport login --url https://127.0.0.1:7443 --ca ca.crt --account acme')
    .description('ask for an API key, try it, and store it with the URL as a profile, which becomes the current one')
    .option('--api-key-stdin', 'read the key from standard input instead of asking for it')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<LoginOptions>();
      const output = outputOf(tools, command);
      const stored = await storedProfiles(tools, output);
      const name = options.profile ?? tools.environment.profile ?? stored.current ?? DEFAULT_PROFILE;
      const target = targetOf(options, tools, stored.profiles.get(name));
      const key = await readKey(tools, options, output);

      const { openApi } = await import('../api.ts');
      const api = await openApi({ ...target, key }, tools.environment.variables);
      let owner: ApiKey;
      try {
        owner = (await api.call<ApiKey>('GET', '/ng/api/api-keys/current')).resource;
      } finally {
        await api.close();
      }
      const account = options.account ?? tools.environment.account ?? owner.accountIdentifier ?? undefined;
      const profile: Profile = {
        url: target.url,
        key,
        ...(target.caFile === undefined ? {} : { caFile: target.caFile }),
        ...(account === undefined ? {} : { account }),
      };
      const file = await writeProfile(tools.environment.configDirectory, name, profile);
      const about = account === undefined ? '' : `, account "${account}"`;
      output.result(owner, () => `Logged in to ${target.url} as "${owner.name}" (${owner.role})${about}.\n`);
      output.note(`Profile "${name}" is stored in ${file} and is the current one.`);
    });
}

export function logoutCommand(tools: Tools): Command {
  return example(new Command('logout'), 'sallyport logout --profile default')
    .description('remove a profile from this machine; its key stays valid until it is revoked')
    .action(async (_options: object, command: Command) => {
      const output = outputOf(tools, command);
      const stored = await storedProfiles(tools, output);
      const name = command.optsWithGlobals<GlobalOptions>().profile ?? tools.environment.profile ?? stored.current;
      if (name === null) throw noProfile(stored, 'There is no current profile.');
      if (!(await removeProfile(tools.environment.configDirectory, name))) {
        throw noProfile(stored, `There is no profile "${name}".`);
      }
      output.result({ profile: name }, () => `Profile "${name}" is removed.\n`);
      output.note('Its key still works elsewhere; "sallyport key revoke" ends that.');
    });
}

function noProfile(stored: Profiles, message: string): Error {
  const known = [...stored.profiles.keys()];
  const remedy = known.length === 0 ? 'Nothing has to be done.' : `Name one with --profile: ${known.join(', ')}.`;
  return usageError(message, remedy, `looked in ${stored.file}`);
}

/** The control plane to log in to; a profile that is there already lends its own URL and CA, to get a new key. */
function targetOf(options: LoginOptions, tools: Tools, existing: Profile | undefined) {
  const url = options.url ?? tools.environment.url ?? existing?.url;
  if (url === undefined) {
    throw usageError('No control plane is named.', 'Give --url https://HOST:PORT.');
  }
  const origin = apiOrigin(url);
  const stored = existing?.url === origin ? existing.caFile : undefined;
  const given = options.ca ?? tools.environment.caFile;
  // Stored as an absolute path: the profile is used from other folders too.
  return { url: origin, caFile: given === undefined ? stored : resolve(given) };
}

async function readKey(tools: Tools, options: LoginOptions, output: Output): Promise<string> {
  const { terminal } = tools;
  if (options.apiKeyStdin === true && options.apiKey !== undefined) {
    throw usageError('--api-key and --api-key-stdin exclude each other.', 'Give one of them.');
  }
  let key: string;
  if (options.apiKeyStdin === true) {
    key = (await readAll(terminal.stdin, 4096)).trim();
  } else if (options.apiKey !== undefined) {
    warnOfKeyOnCommandLine(output);
    key = options.apiKey;
  } else if (terminal.stdin.isTTY === true) {
    key = await ask(terminal, 'API key (not shown): ', { secret: true });
  } else {
    throw usageError('There is no terminal to ask for the key on.', 'Pipe it in with --api-key-stdin.');
  }
  if (key === '')
    throw usageError('The API key is empty.', 'Give the whole key: three or four parts with dots between them.');
  // A key with anything else in it could not be sent as a header.
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw usageError(
      'That is not an API key: it holds spaces, line feeds or letters beyond ASCII.',
      'Copy the key again, alone.',
    );
  }
  return key;
}

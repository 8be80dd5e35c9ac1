import { Command } from 'commander';
import type { Tools } from '../session.ts';
import { addCheck } from './manifest-check.ts';
import { addGenerate } from './manifest-generate.ts';
import { addMigrate } from './manifest-migrate.ts';

export function manifestCommand(tools: Tools): Command {
  const manifest = new Command('manifest').description("delegates' manifests: move to mTLS, check, generate");
  addMigrate(manifest, tools);
  addCheck(manifest, tools);
  addGenerate(manifest, tools);
  return manifest;
}

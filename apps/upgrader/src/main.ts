#!/usr/bin/env node
import { runUpgrader } from './run.ts';

const ended = new AbortController();
process.on('SIGTERM', () => ended.abort());
process.on('SIGINT', () => ended.abort());
process.exit(await runUpgrader(undefined, ended.signal));

#!/usr/bin/env node
import { runDelegate } from './run.ts';

process.exit(await runDelegate());

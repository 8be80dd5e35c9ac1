import type { Case } from '../gauntlet.ts';
import { headers } from './headers.ts';
import { hello } from './hello.ts';
import { names } from './names.ts';
import { requests } from './requests.ts';
import { resumption } from './resumption.ts';

export const CASES: readonly Case[] = [...resumption, ...names, ...hello, ...requests, ...headers];

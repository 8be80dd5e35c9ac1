import type { Case } from '../gauntlet.ts';
import { resumption } from './resumption.ts';

export const CASES: readonly Case[] = [...resumption];

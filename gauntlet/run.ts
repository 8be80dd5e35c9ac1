import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Arena, Case, Outcome, Target } from './gauntlet.ts';
import type { ServerIdentity } from './targets/server-identity.ts';
import { makeCa, newTenant } from './tenants.ts';

export interface Result {
  readonly case: Case;
  readonly outcome: Outcome;
  readonly ms: number;
}

/** No case may take longer: a target that hangs fails the case, it does not hold up the run. */
const CASE_LIMIT_MS = 120_000;

/** Runs the cases against one target, as many at once as it bears; a case that throws has failed, with what it threw. */
export async function runCases(
  target: Target,
  cases: readonly Case[],
  server: ServerIdentity,
  folder: string,
  thorough = true,
): Promise<readonly Result[]> {
  const arena = { ...(await newArena(target, server, folder)), thorough };
  const results: Result[] = [];
  const next = cases.entries();
  const worker = async (): Promise<void> => {
    for (const [at, one] of next) {
      const started = performance.now();
      const outcome = await runCase(one, arena);
      results[at] = { case: one, outcome, ms: Math.round(performance.now() - started) };
    }
  };
  await Promise.all(Array.from({ length: target.atOnce }, worker));
  return results;
}

async function newArena(target: Target, server: ServerIdentity, folder: string): Promise<Omit<Arena, 'thorough'>> {
  const [a, b] = [await newTenant('a'), await newTenant('b')];
  await target.addTenant(a.id, a.authority);
  await target.addTenant(b.id, b.authority);
  let tenants = 0;
  let folders = 0;
  return {
    target,
    a,
    b,
    stranger: await makeCa({ subject: 'A CA that nobody trusts' }),
    systemRoot: server.systemRoot,
    tenant: async (authority) => {
      tenants += 1;
      const tenant = await newTenant(`t${tenants}`, authority);
      await target.addTenant(tenant.id, tenant.authority);
      return tenant;
    },
    folder: () => {
      folders += 1;
      const path = join(folder, `case-${folders}`);
      mkdirSync(path, { recursive: true });
      return path;
    },
  };
}

async function runCase(one: Case, arena: Arena): Promise<Outcome> {
  const lacking = (one.needs ?? []).filter((ability) => !arena.target.abilities.has(ability));
  if (lacking.length > 0) return { verdict: 'not applicable', evidence: `has no ${lacking.join(', ')}` };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ verdict: 'fail', evidence: `no end after ${CASE_LIMIT_MS} ms` }), CASE_LIMIT_MS);
  });
  try {
    return await Promise.race([one.run(arena), late]);
  } catch (error) {
    return { verdict: 'fail', evidence: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

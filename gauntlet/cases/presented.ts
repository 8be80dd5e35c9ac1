import { basicConstraints, keyUsage } from '../../packages/trust/src/issuance/certificate-builder.ts';
import type { Der } from '../../packages/trust/src/issuance/der-writer.ts';
import type { Certificate } from '../certificate.ts';
import { type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { knock } from '../talk.ts';
import { type Made, make, makeClient, show } from '../tenants.ts';

/** A case that shows one certificate, which must be refused. */
export interface Plan {
  readonly name: string;
  readonly title: string;
  readonly attack: string;
  readonly taughtBy?: string;
  /** What the client shows at the door of `a`. */
  show(arena: Arena): Promise<Certificate>;
}

/** Shows it at the door of `a`: never admitted, in reasonable time, and a rightful client is served right after. */
async function refused(arena: Arena, plan: Plan): Promise<Outcome> {
  const { target, a } = arena;
  const certificate = await plan.show(arena);
  const started = performance.now();
  const answer = await knock(target, { tenant: a.id, certificate });
  const took = performance.now() - started;
  if (target.admits(answer.text, a.id)) return fail(`admitted: ${answer.seen}`);
  const own = await knock(target, { tenant: a.id, certificate: a.certificate });
  if (!target.admits(own.text, a.id)) return fail(`then a rightful client is refused: ${own.seen}`);
  return took > 10_000 ? fail(`refused after ${Math.round(took)} ms only`) : pass(answer.seen);
}

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export const leafWith = (issuer: Made, extensions: readonly Der[], subject = 'client'): Promise<Made> =>
  make({ subject, issuer, extensions });

export async function below(intermediate: Made, more: readonly Made[] = []): Promise<Certificate> {
  return show(await makeClient({ subject: 'client', issuer: intermediate }), [intermediate, ...more]);
}

export const CA_EXTENSIONS = [basicConstraints(true), keyUsage('keyCertSign', 'cRLSign')];

export const asCase = (group: string, prefix: string, plan: Plan): Case => ({
  id: `${prefix}/${plan.name}`,
  group,
  title: plan.title,
  attack: plan.attack,
  ...(plan.taughtBy !== undefined && { taughtBy: plan.taughtBy }),
  expected: 'not admitted, promptly, and others are served on',
  run: (arena) => refused(arena, plan),
});

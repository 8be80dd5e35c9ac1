import { randomUUID } from 'node:crypto';
import {
  type AutoUpgradeState,
  type DelegateFilter,
  type DelegateListing,
  type DelegateReplica,
  type RegisterRequest,
  SallyportError,
} from '@sallyport/protocol';
import type { Clock } from '../clock.ts';
import type { AgentCaller } from './agent-authentication.ts';
import type { Delegate, DelegateStore, Registration } from './delegate-store.ts';
import type { Presence } from './presence.ts';

/** Support of a version ends this long after its release: the month in `yy.mm.xxxxx`. */
const SUPPORTED_MONTHS = 6;
const IMMUTABLE_VERSION = /^(\d{2})\.(\d{2})\.\d+/;

/** Who has to know that a delegate's process is a new one. */
export interface RestartListener {
  /** What its earlier process was doing is lost. */
  delegateRestarted(accountId: string, delegateId: string): Promise<void>;
}

/** How a delegate is kept current, by its name and instances. */
export type AutoUpgradeStates = (name: string, instances: readonly Delegate[]) => AutoUpgradeState;

export class DelegateService {
  readonly #store: DelegateStore;
  readonly #presence: Presence;
  readonly #clock: Clock;
  readonly #restarts: RestartListener;
  readonly #upgrades: { states(accountId: string): Promise<AutoUpgradeStates> };

  constructor(
    store: DelegateStore,
    presence: Presence,
    clock: Clock,
    restarts: RestartListener,
    upgrades: { states(accountId: string): Promise<AutoUpgradeStates> },
  ) {
    this.#store = store;
    this.#presence = presence;
    this.#clock = clock;
    this.#restarts = restarts;
    this.#upgrades = upgrades;
  }

  /** When it returns, the delegate is stored and present on this replica. An instance that restarted keeps its id. */
  async register(caller: AgentCaller, request: RegisterRequest): Promise<string> {
    const { accountId, via } = caller;
    const name = request.delegateName ?? request.hostName;
    if (name === undefined || name === '') {
      throw new SallyportError('INVALID_REQUEST', 'The registration names no delegate.', {
        remedy: 'Set DELEGATE_NAME.',
      });
    }
    const hostName = request.hostName ?? '';
    // Whoever reconnects says its id; whoever says none has just started.
    const reconnected = request.delegateId === undefined ? null : await this.#store.find(accountId, request.delegateId);
    const replaced = reconnected === null ? await this.#store.findGone(accountId, name, hostName) : null;
    if (replaced !== null) await this.#restarts.delegateRestarted(accountId, replaced.id);
    const known = reconnected ?? replaced;
    const registration: Registration = {
      id: known?.id ?? randomUUID(),
      accountId,
      name,
      type: request.delegateType ?? 'UNKNOWN',
      description: request.description ?? '',
      hostName,
      ip: request.ip ?? '',
      version: request.version ?? '',
      tags: request.tags ?? [],
      supportedTaskTypes: request.supportedTaskTypes ?? [],
      polling: request.pollingModeEnabled ?? false,
      ...via,
    };
    const now = this.#now();
    if (known === null || !isSame(known, registration))
      await this.#store.register(registration, this.#presence.replicaId, now);
    // Cut while it registered: it is not here, and nothing would ever take it off the list.
    if (caller.connection.socket.destroyed)
      throw new SallyportError('SERVICE_UNAVAILABLE', 'The connection was closed.');
    this.#presence.touch({ ...registration, connected: true, registeredAt: now, lastSeen: now }, via);
    return registration.id;
  }

  /**
   * The delegate is alive. Memory only, unless it is new to this replica.
   * Throws DELEGATE_NOT_REGISTERED when the account has no such delegate.
   */
  async heartbeat(caller: AgentCaller, delegateId: string): Promise<void> {
    const { accountId, via } = caller;
    if (this.#presence.touchKnown(accountId, delegateId, via)) return;
    const delegate = await this.#store.find(accountId, delegateId);
    if (delegate === null) {
      throw new SallyportError(
        'DELEGATE_NOT_REGISTERED',
        `Delegate '${delegateId}' is not registered with account '${accountId}'.`,
      );
    }
    this.#presence.touch(delegate, via);
  }

  unregister(caller: AgentCaller, delegateId: string): void {
    this.#presence.leave(caller.accountId, delegateId);
  }

  /** Delegates of one name are one entry, its instances the replicas. */
  async list(accountId: string, filter: DelegateFilter): Promise<DelegateListing[]> {
    await this.#presence.flush();
    const stateOf = await this.#upgrades.states(accountId);
    const byName = new Map<string, Delegate[]>();
    for (const delegate of await this.#store.ofAccount(accountId, this.#now())) {
      const instances = byName.get(delegate.name);
      if (instances === undefined) byName.set(delegate.name, [delegate]);
      else instances.push(delegate);
    }
    return [...byName.values()]
      .map((instances) => this.#listing(instances, stateOf))
      .filter((listing) => matches(listing, filter));
  }

  async delete(accountId: string, identifier: string): Promise<void> {
    const instances = (await this.#store.ofAccount(accountId, this.#now())).filter(
      ({ name, id }) => name === identifier || id === identifier,
    );
    if (!(await this.#store.delete(accountId, identifier))) {
      throw new SallyportError('INVALID_REQUEST', `Delegate '${identifier}' was not found in account '${accountId}'.`);
    }
    for (const { id } of instances) this.#presence.leave(accountId, id);
  }

  #listing(instances: readonly Delegate[], stateOf: AutoUpgradeStates): DelegateListing {
    const replicas = instances.map((instance) => this.#replica(instance));
    const newest = instances.reduce((a, b) => (b.registeredAt > a.registeredAt ? b : a));
    return {
      type: newest.type,
      name: newest.name,
      description: newest.description,
      tags: [...new Set([newest.name, ...newest.tags])],
      lastHeartBeat: Math.max(...replicas.map((replica) => replica.lastHeartbeat)),
      connected: replicas.some((replica) => replica.connected),
      delegateReplicas: replicas,
      autoUpgrade: stateOf(newest.name, instances),
      legacy: newest.version !== '' && !IMMUTABLE_VERSION.test(newest.version),
    };
  }

  #replica(instance: Delegate): DelegateReplica {
    const here = this.#presence.get(instance.accountId, instance.id);
    return {
      uuid: instance.id,
      lastHeartbeat: here?.lastSeen ?? instance.lastSeen,
      connected: here !== undefined || instance.connected,
      hostName: instance.hostName,
      version: instance.version,
      expiringAt: expiringAt(instance.version),
      transport: instance.transport,
      certificate: instance.certificate,
    };
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}

/** What a restart or a reconnect registers again unchanged needs no write; presence writes who holds it. */
function isSame(known: Delegate, registration: Registration): boolean {
  const described = ({
    id,
    name,
    type,
    description,
    hostName,
    ip,
    version,
    tags,
    supportedTaskTypes,
    polling,
  }: Registration) =>
    JSON.stringify([id, name, type, description, hostName, ip, version, tags, supportedTaskTypes, polling]);
  return described(known) === described(registration);
}

/** 0 when the version says nothing about its age. */
function expiringAt(version: string): number {
  const [, year, month] = IMMUTABLE_VERSION.exec(version) ?? [];
  return year === undefined ? 0 : Date.UTC(2000 + Number(year), Number(month) - 1 + SUPPORTED_MONTHS, 1);
}

function matches(listing: DelegateListing, filter: DelegateFilter): boolean {
  const { delegateName, delegateType, delegateTags, description, hostName, status, autoUpgrade } = filter;
  if (autoUpgrade && listing.autoUpgrade !== autoUpgrade) return false;
  if (delegateName && listing.name !== delegateName) return false;
  if (delegateType && listing.type !== delegateType) return false;
  if (description && listing.description !== description) return false;
  if (hostName && !listing.delegateReplicas.some((replica) => replica.hostName === hostName)) return false;
  if (delegateTags && !delegateTags.every((tag) => listing.tags.includes(tag))) return false;
  if (status === 'CONNECTED' && !listing.connected) return false;
  return !(status === 'DISCONNECTED' && listing.connected);
}

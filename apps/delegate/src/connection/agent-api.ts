import { hostname, networkInterfaces } from 'node:os';
import { type ManagerClient, ManagerError, type ManagerRequest, type ManagerStream } from '@sallyport/client';
import {
  agentPaths,
  type RegisterReply as RegisterReplyBody,
  type RegisterRequest,
  type TaskEvent,
  type TaskResponse,
} from '@sallyport/protocol';
import { AcquiredTask, RegisterReply, restResponse, TaskEvents } from '@sallyport/protocol/schemas';
import { Check } from 'typebox/schema';
import packageJson from '../../package.json' with { type: 'json' };
import type { DelegateConfig } from '../config/delegate-config.ts';

export const VERSION: string = packageJson.version;

const RegisterAnswer = restResponse(RegisterReply);

/** Small calls that matter only while they are fresh. */
const BRIEF_MS = 10_000;

/** The agent protocol's calls, one method each. All throw as `ManagerClient.request` does. */
export class AgentApi {
  readonly #client: ManagerClient;
  readonly #config: DelegateConfig;
  readonly #supportedTaskTypes: readonly string[];

  constructor(client: ManagerClient, config: DelegateConfig, supportedTaskTypes: readonly string[]) {
    this.#client = client;
    this.#config = config;
    this.#supportedTaskTypes = supportedTaskTypes;
  }

  async register(delegateId: string | null): Promise<RegisterReplyBody> {
    const request = this.#post(agentPaths.register, this.#description(delegateId));
    const { resource } = await this.#client.requestAs(RegisterAnswer, request);
    return resource;
  }

  async heartbeat(delegateId: string): Promise<void> {
    await this.#client.request(this.heartbeatRequest(delegateId));
  }

  heartbeatRequest(delegateId: string): ManagerRequest {
    return this.#post(agentPaths.heartbeat, this.#description(delegateId));
  }

  async unregister(delegateId: string): Promise<void> {
    await this.#client.request(this.#post(agentPaths.unregister, { delegateId, hostName: hostname() }));
  }

  async announceCapacity(delegateId: string, maximumNumberOfBuilds: number): Promise<void> {
    await this.#client.request(this.#post(agentPaths.capacity(delegateId), { maximumNumberOfBuilds }));
  }

  /** Held by the manager for up to `waitSeconds` while there is nothing to say. */
  async taskEvents(delegateId: string, waitSeconds: number, signal: AbortSignal): Promise<readonly TaskEvent[]> {
    const answer = await this.#client.requestAs(TaskEvents, {
      method: 'GET',
      path: agentPaths.taskEvents(delegateId),
      query: { ...this.#account, waitSeconds: String(waitSeconds) },
      timeoutMs: waitSeconds * 1000 + BRIEF_MS,
      signal,
    });
    return answer.delegateTaskEvents;
  }

  /** Opens the push stream; what is not task events is handed to `onForeign` once described. */
  openStream(
    delegateId: string,
    onEvents: (events: readonly TaskEvent[]) => void,
    onForeign: () => void,
  ): Promise<ManagerStream> {
    return this.#client.openStream({ path: agentPaths.stream(delegateId), query: this.#account }, (message) => {
      if (Check(TaskEvents, message)) onEvents(message.delegateTaskEvents);
      else onForeign();
    });
  }

  /** Null when the task is not to be had: another delegate was faster, or it has ended. */
  async acquire(delegateId: string, taskId: string): Promise<AcquiredTask | null> {
    try {
      return await this.#client.requestAs(AcquiredTask, {
        method: 'PUT',
        path: agentPaths.acquire(delegateId, taskId),
        query: { ...this.#account, delegateInstanceId: delegateId },
      });
    } catch (error) {
      // Taken by another, gone, or not for this delegate. Anything else may pass, and the task is still ours to take.
      if (error instanceof ManagerError && [403, 404, 409].includes(error.status)) return null;
      throw error;
    }
  }

  async report(delegateId: string, taskId: string, response: TaskResponse): Promise<void> {
    await this.#client.request(this.#post(agentPaths.status(delegateId, taskId), response));
  }

  get #account(): { readonly accountId: string } {
    return { accountId: this.#config.accountId };
  }

  #post(path: string, body: unknown): ManagerRequest {
    return { method: 'POST', path, query: this.#account, body };
  }

  #description(delegateId: string | null): RegisterRequest {
    const { accountId, name, type, description, tags, pollOnly } = this.#config;
    return {
      accountId,
      ...(delegateId === null ? {} : { delegateId }),
      delegateName: name,
      delegateType: type,
      description,
      hostName: hostname(),
      ip: ownAddress(),
      version: VERSION,
      ng: true,
      pollingModeEnabled: pollOnly,
      heartbeatAsObject: true,
      lastHeartBeat: Date.now(),
      supportedTaskTypes: [...this.#supportedTaskTypes],
      tags: [...tags],
    };
  }
}

/** For people who look at the list of delegates; nothing decides on it. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return addresses.find((entry) => !entry.internal && entry.family === 'IPv4')?.address ?? '127.0.0.1';
}

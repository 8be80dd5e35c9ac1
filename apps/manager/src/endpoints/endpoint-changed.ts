import type { MtlsEndpoint } from './endpoint-store.ts';

/** An endpoint's change; `before` is null for a new one, `after` for one that is gone. */
export interface EndpointChanged {
  readonly accountId: string;
  readonly action: EndpointAction;
  readonly actor: string;
  readonly at: number;
  readonly before: MtlsEndpoint | null;
  readonly after: MtlsEndpoint | null;
}

export type EndpointAction = `endpoint.${'created' | 'updated' | 'confirmed' | 'reverted' | 'deleted'}`;

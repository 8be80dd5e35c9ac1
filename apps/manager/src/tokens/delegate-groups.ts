import { type Static, Type } from 'typebox';
import { type TokenUser, tokenStatus } from './token-store.ts';

const DelegateInstance = Type.Object({
  uuid: Type.String(),
  hostName: Type.String(),
  version: Type.String(),
  lastHeartbeat: Type.Integer(),
  activelyConnected: Type.Boolean(),
  tokenActive: Type.Boolean(),
});

/** The delegates of one name, as existing clients list them. */
export const DelegateGroupDetails = Type.Object({
  groupId: Type.String(),
  groupName: Type.String(),
  delegateType: Type.String(),
  lastHeartBeat: Type.Integer(),
  connectivityStatus: Type.Union([Type.Literal('connected'), Type.Literal('disconnected')]),
  activelyConnected: Type.Boolean(),
  tokenActive: Type.Boolean(),
  delegateInstanceDetails: Type.Array(DelegateInstance),
});
export type DelegateGroupDetails = Static<typeof DelegateGroupDetails>;

export function groupByName(users: readonly TokenUser[], now: Date): DelegateGroupDetails[] {
  return [...Map.groupBy(users, (user) => user.delegateName)].map(([name, members]) => {
    const instances = members.map((member) => ({
      uuid: member.delegateId,
      hostName: member.hostName,
      version: member.version,
      lastHeartbeat: member.lastSeen,
      activelyConnected: member.connected,
      tokenActive: tokenStatus(member.token, now) === 'ACTIVE',
    }));
    const connected = instances.some((instance) => instance.activelyConnected);
    return {
      groupId: name,
      groupName: name,
      delegateType: members[0]?.type ?? '',
      lastHeartBeat: Math.max(...instances.map((instance) => instance.lastHeartbeat)),
      connectivityStatus: connected ? 'connected' : 'disconnected',
      activelyConnected: connected,
      tokenActive: instances.some((instance) => instance.tokenActive),
      delegateInstanceDetails: instances,
    };
  });
}

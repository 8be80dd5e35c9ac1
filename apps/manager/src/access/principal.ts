/** Who an API key stands for. An operator belongs to no account. */
export interface Principal {
  readonly kind: 'operator' | 'account-admin' | 'account-viewer';
  readonly keyId: string;
  /** Name of the key, as its creator chose it. */
  readonly name: string;
  readonly accountId: string | null;
}

/** How the audit log names whoever did something. */
export function describePrincipal({ kind, name, keyId }: Principal): string {
  return `${kind} "${name}" (${keyId})`;
}

/** True for who may change what belongs to their account; only they see delegate tokens. */
export function mayEdit(principal: Principal): boolean {
  return principal.kind !== 'account-viewer';
}

/** A DNS-1123 subdomain, which most Kubernetes objects are named by. */
export function isObjectName(name: string): boolean {
  const label = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
  return name.length <= 253 && new RegExp(`^${label}(?:\\.${label})*$`).test(name);
}

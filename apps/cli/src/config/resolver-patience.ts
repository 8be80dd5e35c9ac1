/**
 * Makes the C library ask a name server for two seconds instead of ten or more. A question to one that does not answer
 * cannot be taken back and keeps the process alive to its end, long after the doctor has said what is wrong. What the
 * environment says by itself (resolv.conf(5), RES_OPTIONS) stays.
 */
export function shortenResolverPatience(environment: Record<string, string | undefined> = process.env): void {
  environment['RES_OPTIONS'] ??= 'timeout:1 attempts:2';
}

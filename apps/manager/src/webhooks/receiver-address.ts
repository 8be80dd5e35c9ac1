import { BlockList, isIP } from 'node:net';

/** What an operator lets webhooks reach besides public addresses by https. */
export interface ReceiverRules {
  readonly privateAddresses: boolean;
  /** Plain http, to loopback addresses only. */
  readonly loopbackHttp: boolean;
}

// The manager stands inside somebody's network, and an account chooses where it connects to: without these lists a
// tenant could reach what only the manager can (a metadata service, a database, the kubelet). After the IANA registries
// of special-purpose addresses; what is in neither list and not global unicast is refused as well.

/** Never, whatever the settings say: this network, link-local (metadata services), multicast, reserved, broadcast. */
const NEVER = blockList({
  ipv4: [
    '0.0.0.0/8',
    '169.254.0.0/16',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.88.99.0/24',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
    // The metadata service of a cloud, on a public address.
    '168.63.129.16/32',
    '100.100.100.200/32',
  ],
  ipv6: [
    // The metadata services of two clouds, on private addresses.
    'fd00:ec2::/32',
    'fd20:ce::/32',
    // Teredo, 6to4 and others that carry an IPv4 address inside; documentation.
    '2001::/23',
    '2001:db8::/32',
    '2002::/16',
    '3fff::/20',
  ],
});
const LOOPBACK = blockList({ ipv4: ['127.0.0.0/8'], ipv6: ['::1/128'] });
const PRIVATE = blockList({
  ipv4: ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15'],
  ipv6: ['::1/128', 'fc00::/7'],
});
const GLOBAL_UNICAST = blockList({ ipv4: ['0.0.0.0/0'], ipv6: ['2000::/3'] });

/** Whether a webhook may connect to this address. IPv4 inside IPv6 (mapped, NAT64, 6to4) is refused in every form. */
export function isAllowed(address: string, protocol: string, rules: ReceiverRules): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  // A zone (fe80::1%eth0) names an interface of this machine.
  if (address.includes('%') || isMapped(address, family)) return false;
  const isIn = (list: BlockList) => list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  if (isIn(NEVER)) return false;
  if (protocol === 'http:') return rules.loopbackHttp && isIn(LOOPBACK);
  if (protocol !== 'https:') return false;
  return isIn(PRIVATE) ? rules.privateAddresses : isIn(GLOBAL_UNICAST);
}

/** Node looks a mapped address up in the IPv4 rules, and `0.0.0.0/0` has them all. */
function isMapped(address: string, family: number): boolean {
  return family === 6 && new URL(`http://[${address}]`).hostname.startsWith('[::ffff:');
}

function blockList(ranges: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] }): BlockList {
  const list = new BlockList();
  for (const family of ['ipv4', 'ipv6'] as const) {
    for (const range of ranges[family]) {
      const [network = '', bits] = range.split('/');
      list.addSubnet(network, Number(bits), family);
    }
  }
  return list;
}

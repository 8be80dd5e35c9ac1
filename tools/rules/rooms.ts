// Who may import whom. Imports go down only: docs/architecture.md, "Floors".

export interface Room {
  readonly floor: number;
  /** The rooms that its product code may import; tests may import `@sallyport/dev-env` besides. */
  readonly mayImport: readonly string[];
  /** What would go wrong otherwise. */
  readonly because: string;
  /** Files from which everything that loads must load in a browser too. */
  readonly browserEntries?: readonly string[];
}

const FLOOR_1 = ['protocol', 'manifest', 'trust'];
const FLOOR_2 = ['client', ...FLOOR_1];
/** What stands in a customer's network explains itself with the doctor's checks; the control plane does not carry them. */
const WITH_DOCTOR = ['doctor', ...FLOOR_2];

const pure =
  'It is on floor 1, which stands on nothing: whatever it imported would come along into every program, and into the page that runs it in a browser.';
const app =
  'An app imports floors 1 and 2 only. Two apps that import each other can no longer be installed, upgraded or replaced apart; what both need belongs into packages/.';

export const ROOMS: Readonly<Record<string, Room>> = {
  'packages/protocol': {
    floor: 1,
    mayImport: [],
    because: pure,
    browserEntries: ['packages/protocol/src/index.ts', 'packages/protocol/src/schemas/index.ts'],
  },
  'packages/manifest': {
    floor: 1,
    mayImport: [],
    because: pure,
    browserEntries: ['packages/manifest/src/index.ts'],
  },
  'packages/trust': { floor: 1, mayImport: [], because: pure, browserEntries: ['packages/trust/src/browser.ts'] },
  'packages/client': {
    floor: 2,
    mayImport: FLOOR_1,
    because:
      'It is on floor 2 and imports floor 1 only: delegate, upgrader and command line carry it into customers’ networks, and nothing of the control plane goes there with it.',
  },
  'packages/doctor': {
    floor: 2,
    mayImport: FLOOR_2,
    because:
      'It looks at a delegate’s set-up from where the delegate stands: with the client that the delegate uses, and with nothing of the control plane.',
  },
  'apps/manager': { floor: 3, mayImport: FLOOR_2, because: app },
  'apps/delegate': { floor: 3, mayImport: WITH_DOCTOR, because: app },
  'apps/upgrader': { floor: 3, mayImport: FLOOR_2, because: app },
  'apps/console': {
    floor: 3,
    mayImport: FLOOR_1,
    because: 'The console runs in a browser and imports floor 1 only; the client of floor 2 needs Node sockets.',
  },
  'apps/cli': {
    floor: 4,
    mayImport: [...WITH_DOCTOR, 'manager', 'delegate', 'upgrader', 'console'],
    because: 'The command line imports what is below it; nothing above it is part of the product.',
  },
  'packages/dev-env': {
    floor: 5,
    mayImport: [...WITH_DOCTOR, 'manager', 'delegate', 'upgrader', 'console', 'cli'],
    because: 'It boots the system for tests and imports what it boots.',
  },
};

/** `packages/trust` for `packages/trust/src/pem.ts`, `tools` for `tools/test.ts`. */
export function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'packages' || first === 'apps' ? `${first}/${second}` : first;
}

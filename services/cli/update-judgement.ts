/** What a package says of itself. */
export interface PackageFacts {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** The machine that a package is to be installed on. */
export interface UpdateMachine {
  readonly isRoot: boolean;
  /** Of the package that is installed; `undefined` when there is none. */
  readonly version: string | undefined;
  readonly architecture: string;
  /** Its root keeps nothing over a reboot, or cannot be written. */
  readonly root: 'kept' | 'forgotten' | 'read-only';
  readonly freeBytes: number;
  readonly callsOn: number;
  /** An update is under way, perhaps interrupted by a power cut. */
  readonly isUpdating: boolean;
}

/** Room for the program twice, its package twice and the state. */
const neededBytes = 500_000_000;

/** Why this machine cannot be updated now, whatever the package; `undefined` when it can. */
export function refusalOfMachine(machine: UpdateMachine): string | undefined {
  if (!machine.isRoot) return 'root is needed: sudo hookswitch update …';
  if (machine.version === undefined) {
    return 'hookswitch was not installed from a Debian package here; from the sources: git pull, then sudo scripts/install';
  }
  if (machine.isUpdating) return 'an update is under way: journalctl -fu hookswitch-update';
  if (machine.root === 'read-only') return 'the root cannot be written: sudo mount -o remount,rw /';
  if (machine.root === 'forgotten') {
    return 'the root is an overlay that is forgotten at the next boot: make it writable (sudo hookswitch-root writable on a card of scripts/image, sudo raspi-config nonint do_overlayfs 1 on others), reboot, update, then protect it again';
  }
  if (machine.freeBytes < neededBytes) return `${Math.floor(machine.freeBytes / 1e6)} MB are free, ${neededBytes / 1e6} are needed`;
  return machine.callsOn > 0 ? 'a call is on: wait until it has ended' : undefined;
}

/** Why this package does not go on this machine; `undefined` when it does. `order`: of its version against the installed one. */
export function refusalOfPackage(
  facts: PackageFacts,
  machine: UpdateMachine,
  order: 'later' | 'same' | 'earlier',
  force: boolean,
): string | undefined {
  const { name, version, architecture } = facts;
  if (name !== 'hookswitch') return `this is a package of ${name === '' ? 'something else' : name}`;
  if (architecture !== machine.architecture) return `it is for ${architecture}, this machine is ${machine.architecture}`;
  if (order === 'later' || force) return undefined;
  if (order === 'same') return `${version} is installed already; --force installs it again`;
  return `${version} is earlier than ${machine.version}, which is installed; --force goes back, and may cost settings that only the later one knows`;
}

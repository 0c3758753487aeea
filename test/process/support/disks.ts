/** File systems of the scenario's own, each mounted in a mount namespace that ends with it. */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  linux,
  mounts,
  type Need,
  need,
  openPlace,
  type Place,
  pidNamespaces,
  root,
  runIn,
} from "./places.ts";
import type { Session } from "./scenario.ts";

export interface DiskCase {
  readonly type: string;
  /** What statfs calls it, in the words of stat(1). */
  readonly seenAs: string;
  /** Shell: mounts it at "$mnt"; "$img" is a path for a file with the file system in it. */
  readonly mount: string;
  /** Taken for local: release by PutBack, and nothing stays. Else by Drop, and an empty directory stays. */
  readonly local: boolean;
  /**
   * A process serves it (FUSE): it needs a pid namespace to end with. A file that is removed while it is open stays until
   * it is closed, under a name of libfuse (`.fuse_hidden...`, known junk).
   */
  readonly served?: true;
}

/** Smaller ones than that mkfs.xfs refuses; the file is sparse. */
const IMAGE = 'truncate -s 320M "$img"';

export const OVERLAY: DiskCase = {
  type: "overlay",
  seenAs: "overlayfs",
  mount: `mkdir "$mnt-parts"; mount -t tmpfs tmpfs "$mnt-parts"; cd "$mnt-parts"; mkdir lower upper work
    mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay "$mnt"`,
  local: true,
};

export const DISKS: readonly DiskCase[] = [
  {
    type: "ext4",
    seenAs: "ext2/ext3",
    mount: `${IMAGE}; mkfs.ext4 -q "$img"; mount -o loop "$img" "$mnt"`,
    local: true,
  },
  {
    type: "xfs",
    seenAs: "xfs",
    mount: `${IMAGE}; mkfs.xfs -q "$img"; mount -o loop "$img" "$mnt"`,
    local: true,
  },
  {
    type: "btrfs",
    seenAs: "btrfs",
    mount: `${IMAGE}; mkfs.btrfs -q "$img"; mount -o loop "$img" "$mnt"`,
    local: true,
  },
  { type: "tmpfs", seenAs: "tmpfs", mount: 'mount -t tmpfs tmpfs "$mnt"', local: true },
  OVERLAY,
  // Local in truth, and not on the list: it stands for every disk that is not known to be local.
  { type: "ramfs", seenAs: "ramfs", mount: 'mount -t ramfs ramfs "$mnt"', local: false },
];

/** Served by a process: another one than the kernel decides what a call does, and when. */
export const FUSE_DISKS: readonly DiskCase[] = [
  {
    type: "bindfs",
    seenAs: "fuseblk",
    mount: `mkdir "$mnt-below"; mount -t tmpfs tmpfs "$mnt-below"; bindfs "$mnt-below" "$mnt"`,
    local: false,
    served: true,
  },
  {
    type: "ntfs-3g",
    seenAs: "fuseblk",
    mount: `${IMAGE}; mkfs.ntfs -q -F "$img"; ntfs-3g "$img" "$mnt"`,
    local: false,
    served: true,
  },
];

/** What a test on that disk needs of the machine. */
export function needsOf(disk: DiskCase): readonly Need[] {
  return [linux, root, mounts, ...(disk.served === true ? [pidNamespaces] : []), mountable(disk)];
}

/** That it can be made and mounted here. */
export function mountable({ type, mount, served }: Pick<DiskCase, "type" | "mount" | "served">): Need {
  return need(`a mount of ${type}`, () => {
    const scratch = fs.mkdtempSync(join(tmpdir(), "swl-mountable-"));
    try {
      const apart = [
        "--mount",
        "--propagation",
        "private",
        ...(served ? ["--pid", "--fork", "--kill-child"] : []),
      ];
      runIn(["unshare", ...apart], ["sh", "-c", setupOf(mount, scratch)]);
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  });
}

const setupOf = (mount: string, directory: string): string =>
  `set -e; mnt=${directory}/disk; img=${directory}/image; mkdir "$mnt"\n(${mount}) > /dev/null 2>&1`;

/** A place in which the file system is mounted at `disk` in the scratch directory. */
export function placeOf(
  { mount, served }: Pick<DiskCase, "mount" | "served">,
  scratch: string,
): Promise<Place> {
  return openPlace(served === true ? ["mount", "pid"] : ["mount"], setupOf(mount, scratch));
}

/** Mounts a file system of the scenario's own, and moves the session there. */
export async function mountFor(
  session: Session,
  disk: Pick<DiskCase, "mount" | "served">,
  { plant = true }: { readonly plant?: boolean } = {},
): Promise<Place> {
  const place = await session.open(placeOf(disk, session.scratch));
  session.moveTo(place, join(session.scratch, "disk"), plant);
  return place;
}

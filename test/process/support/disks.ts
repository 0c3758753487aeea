/** File systems of the scenario's own, each mounted in a mount namespace that ends with it. */

import { join } from "node:path";
import { openPlace, type Place } from "./places.ts";
import type { Session } from "./scenario.ts";

export interface DiskCase {
  readonly type: string;
  /** What statfs calls it, in the words of stat(1). */
  readonly seenAs: string;
  /** Shell: mounts it at "$mnt"; "$img" is a path for a file with the file system in it. */
  readonly mount: string;
  /** Taken for local: release by PutBack, and nothing stays. Else by Drop, and an empty directory stays. */
  readonly local: boolean;
}

/** Smaller ones than that mkfs.xfs refuses; the file is sparse. */
const IMAGE = 'truncate -s 320M "$img"';

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
  {
    type: "overlay",
    seenAs: "overlayfs",
    mount: `mkdir "$mnt-parts"; mount -t tmpfs tmpfs "$mnt-parts"; cd "$mnt-parts"; mkdir lower upper work
      mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay "$mnt"`,
    local: true,
  },
  // Local in truth, and not on the list: it stands for every disk that is not known to be local.
  { type: "ramfs", seenAs: "ramfs", mount: 'mount -t ramfs ramfs "$mnt"', local: false },
];

/** Mounts a file system of the scenario's own, and moves the session there. */
export async function mountFor(
  session: Session,
  mount: string,
  { plant = true }: { readonly plant?: boolean } = {},
): Promise<Place> {
  const at = join(session.scratch, "disk");
  const setup = `mnt=${at}; img=${session.scratch}/image; mkdir "$mnt"\n(${mount}) > /dev/null 2>&1`;
  const place = await session.open(openPlace(["mount"], setup));
  session.moveTo(place, at, plant);
  return place;
}

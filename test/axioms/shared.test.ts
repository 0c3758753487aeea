// tests A3: the disk of model/ is the disk that real processes are compared with, so those runs speak for the model too.

import { describe, expect, it } from "vitest";
import { lateText, successors } from "../../model/actions.ts";
import {
  type Config,
  initialState,
  type LateCall,
  type Name as ModelName,
  type State,
} from "../../model/state.ts";
import { SCOPES } from "../lockstep/scopes.ts";
import { BROKEN_DISKS } from "./brokenDisks.ts";
import {
  type Call,
  type Disk,
  type DiskState,
  diskOf,
  type Layout,
  layoutOf,
  ONE_MOMENT,
  type Path,
  stateOf,
} from "./disk.ts";

const scope = SCOPES["three processes, three tasks, PutBack"];
if (scope === undefined) throw new Error("the scope is gone");
const config: Config = scope;

/** Two owners of the model, and what stands for them on the disk. */
const OWNERS = [
  { model: "a.1.1", name: "n1", home: "h1" },
  { model: "b.1.1", name: "n2", home: "h2" },
] as const;
type Owner = (typeof OWNERS)[number];

/** What may be in a directory, as a set of owners; null where there is none. */
const DIRECTORIES: readonly (readonly Owner[] | null)[] = [null, [], [OWNERS[0]], [OWNERS[1]], OWNERS];

interface Setting {
  readonly L: readonly Owner[] | null;
  readonly h1: readonly Owner[] | null;
  readonly h2: readonly Owner[] | null;
}

const SETTINGS: readonly Setting[] = DIRECTORIES.flatMap((L) =>
  DIRECTORIES.flatMap((h1) => DIRECTORIES.map((h2) => ({ L, h1, h2 }))),
);

const OPS: Readonly<Record<LateCall["op"], (owner: Owner) => Call>> = {
  take: ({ home }) => ({ call: "rename", from: home, to: "L" }),
  clear: () => ({ call: "rmdir", path: "L" }),
  putBack: ({ home }) => ({ call: "rename", from: "L", to: home }),
  unlinkHome: ({ home, name }) => ({ call: "remove", path: home, name }),
  unlinkLock: ({ name }) => ({ call: "remove", path: "L", name }),
  rmdirHome: ({ home }) => ({ call: "rmdir", path: home }),
};

/** The model's own call, alone: `LateEffect` is exactly that. */
function byModel(setting: Setting, call: LateCall): Layout {
  const names = (owners: readonly Owner[]): readonly ModelName[] => owners.map(({ model }) => model);
  const homes = OWNERS.flatMap(({ model, home }) => {
    const owners = setting[home];
    return owners === null ? [] : [[model, names(owners)] as const];
  });
  const lock = setting.L === null ? null : names(setting.L);
  const before: State = { ...initialState(config), lock, homes, late: [call] };
  const [after, ...others] = successors(config, before, { action: "LateEffect", arg: lateText(call) });
  if (after === undefined || others.length > 0) throw new Error(`${lateText(call)} has no one effect`);
  const standing = (found: readonly ModelName[] | null | undefined): string =>
    found == null
      ? "absent"
      : `[${OWNERS.filter(({ model }) => found.includes(model))
          .map(({ name }) => name)
          .join(" ")}]`;
  const homeOf = (owner: Owner): string => standing(after.homes.find(([name]) => name === owner.model)?.[1]);
  return {
    L: standing(after.lock),
    h1: homeOf(OWNERS[0]),
    h2: homeOf(OWNERS[1]),
    h3: "absent",
    elsewhere: "[]",
  };
}

/** The same on the disk of the axioms, with nobody else there. */
function byDisk(setting: Setting, call: Call, disk: Disk): Layout {
  const standing = (path: Path & keyof Setting): string => {
    const owners = setting[path];
    return owners === null ? "absent" : `[${owners.map(({ name }) => name).join(" ")}]`;
  };
  let state: DiskState = stateOf({ L: standing("L"), h1: standing("h1"), h2: standing("h2"), h3: "absent" });
  for (let moment = disk.moments(state, call, undefined)[0]; moment !== undefined; ) {
    state = moment.state;
    moment = "goesOn" in moment ? disk.moments(state, call, moment.goesOn)[0] : undefined;
  }
  return layoutOf(state);
}

/** The calls after which the two differ. */
function differences(disk: Disk): readonly string[] {
  return SETTINGS.flatMap((setting) =>
    OWNERS.flatMap((owner) =>
      (Object.keys(OPS) as LateCall["op"][]).flatMap((op) => {
        const model = JSON.stringify(byModel(setting, { op, name: owner.model }));
        const real = JSON.stringify(byDisk(setting, OPS[op](owner), disk));
        return model === real ? [] : [`${op} ${owner.model}: model ${model}, disk ${real}`];
      }),
    ),
  );
}

describe("each call of the model's disk", () => {
  it("does what the disk of the axioms does, wherever directories stand and whatever is in them", () => {
    expect(SETTINGS).toHaveLength(125);
    expect(differences(diskOf(ONE_MOMENT))).toEqual([]);
  });

  // What mkdir, create, a link or a listing do is no call on the model's disk, nor is what a call says.
  const SEEN = [
    "rename replaces a directory that is not empty",
    "rename merges two directories",
    "rename refuses an empty directory",
    "rename refuses, and has happened all the same",
    "unlink in a directory removes whatever is there",
    "rmdir removes a directory that is not empty",
  ];

  it.each(SEEN)("differs from a disk where %s", (name) => {
    const broken = BROKEN_DISKS.find((disk) => disk.name === name);
    expect(broken).toBeDefined();
    if (broken !== undefined) expect(differences(broken.disk)).not.toEqual([]);
  });
});

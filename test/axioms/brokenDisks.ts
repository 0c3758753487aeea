/**
 * Disks that break A3, each in one way: as models, which must explain neither real histories nor have their own
 * explained by the axioms. ports.mjs has some of them for real processes.
 */

import {
  AXIOMS,
  clear,
  type Disk,
  type DiskState,
  diskOf,
  type Entry,
  type Moment,
  move,
  type Name,
  namesIn,
  type Rename,
  RULES,
  type Rules,
  type UnderWay,
  withNames,
} from "./disk.ts";

export interface BrokenDisk {
  readonly name: string;
  readonly disk: Disk;
  /**
   * It does everything that a right disk does, and more: so it explains every real history, and only its own
   * histories can show it.
   */
  readonly doesMore?: true;
}

const withRules = (name: string, rules: Partial<Rules>): BrokenDisk => ({
  name,
  disk: diskOf(AXIOMS, { ...RULES, ...rules }),
});

export const BROKEN_DISKS: readonly BrokenDisk[] = [
  withRules("rename replaces a directory that is not empty", {
    rename: (state, call) =>
      isDirectory(state.at[call.from]) && isDirectory(state.at[call.to])
        ? { state: move(state, call.from, call.to), reply: "ok" }
        : RULES.rename(state, call),
  }),
  withRules("rename merges two directories", {
    rename: (state, call) => {
      const { [call.from]: from, [call.to]: to } = state.at;
      if (!isDirectory(from) || !isDirectory(to)) return RULES.rename(state, call);
      const names = [...new Set([...namesIn(state, from), ...namesIn(state, to)])].sort();
      return { state: clear(withNames(state, to, names), call.from), reply: "ok" };
    },
  }),
  withRules("rename refuses an empty directory", {
    rename: (state, call) =>
      isDirectory(state.at[call.from]) && isDirectory(state.at[call.to])
        ? { state, reply: "ENOTEMPTY" }
        : RULES.rename(state, call),
  }),
  withRules("rename replaces a file or a link by a directory", {
    rename: (state, call) => {
      const [from, to] = [state.at[call.from], state.at[call.to]];
      const replaces = isDirectory(from) && (to === "file" || to === "link");
      return replaces ? { state: move(state, call.from, call.to), reply: "ok" } : RULES.rename(state, call);
    },
  }),
  withRules("rename refuses, and has happened all the same", {
    rename: (state, call) => {
      const refused = RULES.rename(state, call);
      const happens = "reply" in refused && refused.reply === "ENOTEMPTY";
      return happens ? { state: move(state, call.from, call.to), reply: "ENOTEMPTY" } : refused;
    },
  }),
  withRules("unlink in a directory removes whatever is there", {
    remove: (state, object, name) => {
      const [any] = namesIn(state, object);
      return any === undefined
        ? RULES.remove(state, object, name)
        : { state: withNames(state, object, namesIn(state, object).slice(1)), reply: "ok" };
    },
  }),
  withRules("rmdir removes a directory that is not empty", {
    rmdir: (state, path) =>
      isDirectory(state.at[path]) ? { state: clear(state, path), reply: "ok" } : RULES.rmdir(state, path),
  }),
  withRules("mkdir takes what is there", {
    mkdir: (state, path) => (isDirectory(state.at[path]) ? { state, reply: "ok" } : RULES.mkdir(state, path)),
  }),
  withRules("create takes a file that is there", {
    create: (state, object, name) =>
      namesIn(state, object).includes(name) ? { state, reply: "ok" } : RULES.create(state, object, name),
  }),
  { name: "a listing is stale", disk: withStaleListings() },
  { name: "rename removes its target first, and moves later", disk: withRenameInSteps(), doesMore: true },
  { name: "rename copies, and removes later", disk: withRenameByCopy(), doesMore: true },
];

const isDirectory = (entry: Entry): entry is number => typeof entry === "number";

/** What a directory held at its beginning is what is listed for ever. */
function withStaleListings(): Disk {
  const first = new WeakMap<DiskState, DiskState>();
  const origin = (state: DiskState): DiskState => first.get(state) ?? state;
  const disk = diskOf(AXIOMS);
  return {
    moments: (state, call, underWay) => {
      const before = origin(state);
      if (
        call.call === "readdir" &&
        underWay !== undefined &&
        before.objects[underWay.object] !== undefined
      ) {
        return disk.moments(before, call, underWay).map((moment) => ({ ...moment, state }));
      }
      const moments = disk.moments(state, call, underWay);
      for (const moment of moments) first.set(moment.state, before);
      return moments;
    },
  };
}

/** The first moment of a rename that will go in two; its state is what others see in between. */
function inTwo(
  first: (state: DiskState, call: Rename) => DiskState | undefined,
  second: (state: DiskState, call: Rename) => DiskState,
): Disk {
  const disk = diskOf(AXIOMS);
  return {
    moments: (state, call, underWay): readonly Moment[] => {
      if (call.call !== "rename") return disk.moments(state, call, underWay);
      if (underWay !== undefined) return [{ state: second(state, call), reply: "ok" }];
      const between = first(state, call);
      if (between === undefined) return disk.moments(state, call, underWay);
      return [{ state: between, goesOn: IN_BETWEEN }];
    },
  };
}

const IN_BETWEEN: UnderWay = { object: 0, found: [], left: [] };

function withRenameInSteps(): Disk {
  return inTwo(
    (state, { from, to }) => {
      const target = state.at[to];
      const replaces =
        isDirectory(state.at[from]) && isDirectory(target) && namesIn(state, target).length === 0;
      return replaces ? clear(state, to) : undefined;
    },
    (state, { from, to }) => (state.at[from] === "absent" ? state : move(state, from, to)),
  );
}

/** As rename of an object store: the target has the names before the source has lost them. */
function withRenameByCopy(): Disk {
  return inTwo(
    (state, call) => {
      const moved = state.at[call.from];
      const done = RULES.rename(state, call);
      if (!isDirectory(moved) || !("reply" in done) || done.reply !== "ok") return undefined;
      const names: readonly Name[] = namesIn(state, moved);
      const cleared = clear(state, call.to);
      const objects = [...cleared.objects, names];
      return { at: { ...cleared.at, [call.to]: objects.length - 1 }, objects };
    },
    (state, { from }) => clear(state, from),
  );
}

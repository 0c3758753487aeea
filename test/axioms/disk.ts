/**
 * A3 as a machine: what one disk does, moment by moment. Pure. Real histories must be explained by it
 * (linearize.ts), and its broken variants (brokenDisks.ts) must not explain them.
 *
 * A call has its effect at one moment between its beginning and its end. A call on something *in* a directory has
 * two: the path is resolved to a directory object, then that object is looked at or changed, wherever it
 * stands by then. A listing looks at each name at a moment of its own, and may take an empty directory for one that
 * is not there. spec/assumptions.md says why that is enough.
 */

/** The lock path and three homes, all in one directory, as the protocol has them. */
export const PATHS = ["L", "h1", "h2", "h3"] as const;
export type Path = (typeof PATHS)[number];

/** Names of files in directories. The world's uniqueness of owner names is not assumed here. */
export const NAMES = ["n1", "n2", "n3"] as const;
export type Name = (typeof NAMES)[number];

export type Call =
  | { readonly call: "rename"; readonly from: Path; readonly to: Path }
  | { readonly call: "mkdir" | "rmdir" | "unlink"; readonly path: Path }
  | { readonly call: "readdir"; readonly path: Path }
  /** Creates or removes `path/name`. */
  | { readonly call: "create" | "remove"; readonly path: Path; readonly name: Name };

export type Errno = "ENOENT" | "ENOTDIR" | "EISDIR" | "EEXIST" | "ENOTEMPTY";
/** "ok", a listing as `[n1 n3]`, or an errno. ENOTEMPTY stands for EEXIST where POSIX allows both. */
export type Reply = string;

/** A number is a directory object: which one stands at a path changes, the object stays itself. */
export type Entry = "absent" | "file" | "link" | number;

export interface DiskState {
  readonly at: Readonly<Record<Path, Entry>>;
  /** The names in each directory object; `gone` once it was removed or replaced. Object 0 is where links lead. */
  readonly objects: readonly (readonly Name[] | "gone")[];
}

/** Where every symbolic link of a history leads: an empty directory that no call names. */
export const ELSEWHERE = 0;

/** A call under way: the object that its path was resolved to; of a listing, what was looked at. */
export interface UnderWay {
  readonly object: number;
  readonly found: readonly Name[];
  readonly left: readonly Name[];
}

/** After one moment of a call: it goes on, or has its reply. */
export type Moment =
  | { readonly state: DiskState; readonly goesOn: UnderWay }
  | { readonly state: DiskState; readonly reply: Reply };

/** What a disk may do at the next moment of a call. */
export interface Disk {
  moments(state: DiskState, call: Call, underWay: UnderWay | undefined): readonly Moment[];
}

/** How much of a call on something in a directory happens at once. */
export interface Grain {
  /** Creating and removing. `two moments`: the directory may move between the resolution of its path and the change. */
  readonly changes: "one moment" | "two moments";
  /** `one object`: the path first, then all names of its object at once. */
  readonly lists: "one moment" | "one object" | "name by name";
  /** What a listing may say of an empty directory. */
  readonly empty: "empty" | "empty or absent";
}

/** What the protocol assumes. */
export const AXIOMS: Grain = { changes: "two moments", lists: "name by name", empty: "empty or absent" };

/** What the model has, and a reader of one step for each call would expect. */
export const ONE_MOMENT: Grain = { changes: "one moment", lists: "one moment", empty: "empty" };

export function diskOf(grain: Grain, rules: Rules = RULES): Disk {
  return {
    moments: (state, call, underWay) => {
      if (underWay !== undefined) return goOn(state, call, underWay, grain, rules);
      if (call.call === "rename") return [rules.rename(state, call)];
      if (!isWithin(call)) return [rules[call.call](state, call.path)];
      const object = resolve(state, call.path);
      if (typeof object === "string") return [{ state, reply: object }];
      const opened: UnderWay = { object, found: [], left: call.call === "readdir" ? NAMES : [] };
      const moments = call.call === "readdir" ? grain.lists : grain.changes;
      return moments === "one moment" ? goOn(state, call, opened, grain, rules) : [{ state, goesOn: opened }];
    },
  };
}

/** What each call does at its one moment: removable one by one, for the broken disks. */
export interface Rules {
  rename(state: DiskState, call: Rename): Moment;
  mkdir(state: DiskState, path: Path): Moment;
  rmdir(state: DiskState, path: Path): Moment;
  unlink(state: DiskState, path: Path): Moment;
  create(state: DiskState, object: number, name: Name): Moment;
  remove(state: DiskState, object: number, name: Name): Moment;
  /** The names that a listing may find. */
  list(state: DiskState, object: number): readonly Name[];
}

export type Rename = Extract<Call, { call: "rename" }>;

export const RULES: Rules = { rename, mkdir, rmdir, unlink, create, remove, list: namesIn };

/** On something in a directory. */
function isWithin(call: Call): call is Extract<Call, { call: "readdir" | "create" | "remove" }> {
  return call.call === "readdir" || call.call === "create" || call.call === "remove";
}

/** Like open: a link is followed. */
export function resolve(state: DiskState, path: Path): number | Errno {
  const entry = state.at[path];
  if (entry === "absent") return "ENOENT";
  if (entry === "file") return "ENOTDIR";
  return entry === "link" ? ELSEWHERE : entry;
}

function goOn(
  state: DiskState,
  call: Call,
  underWay: UnderWay,
  grain: Grain,
  rules: Rules,
): readonly Moment[] {
  const { object, found, left } = underWay;
  if (call.call === "create" || call.call === "remove") return [rules[call.call](state, object, call.name)];
  const there = rules.list(state, object);
  const mayBeMissed = grain.empty !== "empty" && there.length === 0 && left.length === NAMES.length;
  const absent: readonly Moment[] = mayBeMissed ? [fails(state, "ENOENT")] : [];
  if (grain.lists !== "name by name") return [{ state, reply: listingText(there) }, ...absent];
  const looks = left.map((name): Moment => {
    const seen = there.includes(name) ? [...found, name] : found;
    const rest = left.filter((other) => other !== name);
    return rest.length === 0
      ? { state, reply: listingText(seen) }
      : { state, goesOn: { object, found: [...seen].sort(), left: rest } };
  });
  return [...looks, ...absent];
}

/** Whether a listing that is under way can still end in this reply. */
export function canEndIn({ found, left }: UnderWay, reply: Reply): boolean {
  if (reply === "ENOENT") return left.length === NAMES.length;
  const listed: readonly string[] = /^\[(.*)\]$/.exec(reply)?.[1]?.split(" ") ?? [];
  return NAMES.every((name) => left.includes(name) || found.includes(name) === listed.includes(name));
}

export const listingText = (names: readonly string[]): Reply => `[${[...names].sort().join(" ")}]`;

// ------------------------------------------------------------------------------------------------
// The rules

function rename(state: DiskState, { from, to }: Rename): Moment {
  const moved = state.at[from];
  const target = state.at[to];
  if (moved === "absent") return fails(state, "ENOENT");
  if (typeof moved === "number") {
    // A link at the target is not followed, wherever it leads.
    if (target === "file" || target === "link") return fails(state, "ENOTDIR");
    if (typeof target === "number" && namesIn(state, target).length > 0) return fails(state, "ENOTEMPTY");
  } else if (typeof target === "number") {
    return fails(state, "EISDIR");
  }
  return { state: move(state, from, to), reply: "ok" };
}

function mkdir(state: DiskState, path: Path): Moment {
  if (state.at[path] !== "absent") return fails(state, "EEXIST");
  const objects = [...state.objects, []];
  return { state: { at: { ...state.at, [path]: objects.length - 1 }, objects }, reply: "ok" };
}

function rmdir(state: DiskState, path: Path): Moment {
  const entry = state.at[path];
  if (entry === "absent") return fails(state, "ENOENT");
  if (typeof entry !== "number") return fails(state, "ENOTDIR");
  if (namesIn(state, entry).length > 0) return fails(state, "ENOTEMPTY");
  return { state: clear(state, path), reply: "ok" };
}

function unlink(state: DiskState, path: Path): Moment {
  const entry = state.at[path];
  if (entry === "absent") return fails(state, "ENOENT");
  if (typeof entry === "number") return fails(state, "EISDIR");
  return { state: clear(state, path), reply: "ok" };
}

function create(state: DiskState, object: number, name: Name): Moment {
  const names = state.objects[object] ?? "gone";
  if (names === "gone") return fails(state, "ENOENT");
  if (names.includes(name)) return fails(state, "EEXIST");
  return { state: withNames(state, object, [...names, name].sort()), reply: "ok" };
}

function remove(state: DiskState, object: number, name: Name): Moment {
  const names = namesIn(state, object);
  if (!names.includes(name)) return fails(state, "ENOENT");
  const others = names.filter((other) => other !== name);
  return { state: withNames(state, object, others), reply: "ok" };
}

const fails = (state: DiskState, reply: Errno): Moment => ({ state, reply });

// ------------------------------------------------------------------------------------------------
// States

export function namesIn(state: DiskState, object: number): readonly Name[] {
  const names = state.objects[object] ?? "gone";
  return names === "gone" ? [] : names;
}

/** What stood there is gone, and so is a directory object with it. */
export function clear(state: DiskState, path: Path): DiskState {
  const entry = state.at[path];
  const at = { ...state.at, [path]: "absent" as const };
  return typeof entry === "number" ? { ...withNames(state, entry, "gone"), at } : { ...state, at };
}

export function move(state: DiskState, from: Path, to: Path): DiskState {
  const cleared = clear(state, to);
  return { ...cleared, at: { ...cleared.at, [from]: "absent", [to]: state.at[from] } };
}

export function withNames(state: DiskState, object: number, names: readonly Name[] | "gone"): DiskState {
  return { ...state, objects: state.objects.map((old, i) => (i === object ? names : old)) };
}

/** What somebody sees who comes when all is over: objects have no numbers on a real disk. */
export type Layout = Readonly<Record<Path | "elsewhere", Standing>>;
/** `absent`, `file`, `link`, or a listing. */
export type Standing = string;

export function layoutOf(state: DiskState): Layout {
  const standing = (entry: Entry): Standing =>
    typeof entry === "number" ? listingText(namesIn(state, entry)) : entry;
  const { L, h1, h2, h3 } = state.at;
  return {
    L: standing(L),
    h1: standing(h1),
    h2: standing(h2),
    h3: standing(h3),
    elsewhere: standing(ELSEWHERE),
  };
}

/** Everything stands where the layout says; `elsewhere` is empty at first. */
export function stateOf(layout: Omit<Layout, "elsewhere">): DiskState {
  const objects: (readonly Name[])[] = [[]];
  const entryOf = (standing: Standing): Entry => {
    if (standing === "absent" || standing === "file" || standing === "link") return standing;
    return objects.push(NAMES.filter((name) => standing.includes(name))) - 1;
  };
  const { L, h1, h2, h3 } = layout;
  return { at: { L: entryOf(L), h1: entryOf(h1), h2: entryOf(h2), h3: entryOf(h3) }, objects };
}

export function callText(call: Call): string {
  if (call.call === "rename") return `rename(${call.from}, ${call.to})`;
  if (call.call === "create") return `create(${call.path}/${call.name})`;
  if (call.call === "remove") return `unlink(${call.path}/${call.name})`;
  return `${call.call}(${call.path})`;
}

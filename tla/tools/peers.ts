import type { MachineLabel } from "../../model/machine.ts";
import { MKDIR_MTIME_HOLES, mkdirMtime } from "../../model/peers/mkdirMtime.ts";
import { RENAME_ASIDE_HOLES, renameAside } from "../../model/peers/renameAside.ts";
import { mkdirMtimeVariables, renameAsideVariables } from "../../model/peers/text.ts";
import { known, readConstants, strings } from "./constants.ts";
import { type Instance, instanceOf } from "./instance.ts";
import { canonical, type Value } from "./values.ts";

const dumpLabel = ({ action, arg }: MachineLabel): string => (arg === "" ? action : `${action}_${arg}`);

/** The model of MkdirMtime.tla with the constants of a .cfg file. */
export function mkdirMtimeInstance(dir: string, cfgFile: string): Instance {
  const value = readConstants(dir, cfgFile);
  const config = {
    procs: strings(value("Procs")),
    stale: number(value("Stale")),
    maxTime: number(value("MaxTime")),
    maxIds: number(value("MaxIds")),
    maxCrashes: number(value("MaxCrashes")),
    timely: isTrue(value("Timely")),
    ahead: strings(value("Ahead")),
    closed: known(cfgFile, strings(value("Closed")), MKDIR_MTIME_HOLES, "hole"),
  };
  return instanceOf(mkdirMtime, config, { variables: mkdirMtimeVariables, dumpLabel });
}

/** The model of RenameAside.tla with the constants of a .cfg file. */
export function renameAsideInstance(dir: string, cfgFile: string): Instance {
  const value = readConstants(dir, cfgFile);
  const config = {
    procs: strings(value("Procs")),
    maxCrashes: number(value("MaxCrashes")),
    recheck: isTrue(value("Recheck")),
    closed: known(cfgFile, strings(value("Closed")), RENAME_ASIDE_HOLES, "hole"),
  };
  return instanceOf(renameAside, config, { variables: renameAsideVariables, dumpLabel });
}

const number = (value: Value): number => Number(canonical(value));
const isTrue = (value: Value): boolean => canonical(value) === "TRUE";

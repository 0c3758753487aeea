import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { dumpLabel, stateVariables } from "../../model/text.ts";
import { readModelConfig } from "./constants.ts";
import type { GraphSource } from "./graphDigest.ts";
import { type Instance, instanceOf } from "./instance.ts";
import { mkdirMtimeInstance, renameAsideInstance } from "./peers.ts";

const specifications = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The state graph that the model's explorer finds for `<configName>.cfg`, in the words of TLC's dump. */
export function modelGraph(configName: string): GraphSource {
  return modelOf(configName).graph();
}

/** The model with the constants of `<configName>.cfg`. The name says of which specification. */
export function modelOf(configName: string): Instance {
  const cfgFile = `${configName}.cfg`;
  if (configName.startsWith("MkdirMtime")) return mkdirMtimeInstance(specifications, cfgFile);
  if (configName.startsWith("RenameAside")) return renameAsideInstance(specifications, cfgFile);
  const config = readModelConfig(specifications, cfgFile);
  return instanceOf(ownerDirectory, config, { variables: stateVariables, dumpLabel });
}

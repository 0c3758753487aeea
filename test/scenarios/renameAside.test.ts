import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Counterexample, findViolation } from "../../model/explore.ts";
import { RENAME_ASIDE_HOLES } from "../../model/peers/holes.ts";
import { type Config, renameAside, type State } from "../../model/peers/renameAside.ts";
import { readRenameAsideConfig } from "../../tla/tools/constants.ts";
import { RenameAsideWorld } from "./renameAside.ts";
import { RENAME_ASIDE_ENDS, titleIn } from "./replays.ts";

const tla = new URL("../../tla", import.meta.url).pathname;

interface Violation {
  readonly config: Config;
  readonly run: Counterexample<State>;
}

function shortestRun(configuration: string): Violation {
  const hole = RENAME_ASIDE_HOLES.find((candidate) => candidate.configuration === configuration);
  const config = readRenameAsideConfig(tla, `${configuration}.cfg`);
  const run = findViolation(renameAside, config, hole?.property ?? "");
  if (run === null) throw new Error(`${configuration} holds`);
  return { config, run };
}

/** Drives the run on a fresh directory, and looks at the end of it. */
function drive(
  config: Config,
  { states, labels }: Violation["run"],
  look: (end: RenameAsideWorld) => void,
): void {
  const directory = fs.mkdtempSync(join(tmpdir(), "swl-rename-aside-"));
  try {
    const world = new RenameAsideWorld(config, directory);
    for (const [i, label] of labels.entries()) world.perform(label, states[i + 1] ?? ({} as State));
    look(world);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

describe("rename aside, then verify, on a real directory, each step compared with the model's", () => {
  it("every hole of RenameAside is replayed", () => {
    expect(RENAME_ASIDE_ENDS.map(({ configuration }) => configuration)).toEqual(
      RENAME_ASIDE_HOLES.map(({ configuration }) => configuration),
    );
  });

  for (const { configuration, holders, file } of RENAME_ASIDE_ENDS) {
    const { config, run } = shortestRun(configuration);

    it(titleIn("renameAside.test.ts", configuration) ?? "", () => {
      drive(config, run, (world) => {
        expect(world.holders()).toEqual(holders);
        expect(world.ownerAtLock()).toBe(file ?? null);
      });
    });

    it(`twin: ${configuration} with a move that moves only what was judged is another run`, () => {
      const closed: Config = { ...config, closed: ["MoveByPath"] };
      expect(() => drive(closed, run, () => {})).toThrow(/^Move\(/);
    });
  }
});

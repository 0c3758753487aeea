import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { mermaidMistakes } from "../../support/mermaidGrammar.ts";
import { runTool, temporaryFolder } from "./toolsHarness.ts";

describe("npm run findings", () => {
  it("writes the pages; --check then has nothing to say, and names what is changed afterwards", async () => {
    const dir = await temporaryFolder(onTestFinished);
    const own = "# Not generated\n";
    await writeFile(join(dir, "own.md"), own);
    const unwritten = await runTool("findings", ["--check", "--dir", dir]);
    expect(unwritten.code).toBe(1);
    expect(unwritten.stdout).toContain("out of date: README.md");
    expect(await readdir(dir)).toEqual(["own.md"]);

    expect((await runTool("findings", ["--dir", dir])).code).toBe(0);
    expect(await runTool("findings", ["--check", "--dir", dir])).toMatchObject({
      code: 0,
      stdout: "all pages are up to date\n",
    });

    const page = join(dir, "mkdir-mtime-clock.md");
    await writeFile(page, (await readFile(page, "utf8")).replace("rmdir", "unlink"));
    await rm(join(dir, "rename-aside-window.md"));
    const changed = await runTool("findings", ["--check", "--dir", dir]);
    expect(changed.code).toBe(1);
    expect(changed.stdout).toBe(
      "out of date: mkdir-mtime-clock.md\nout of date: rename-aside-window.md\nRun `npm run findings`.\n",
    );
    expect(await readFile(join(dir, "own.md"), "utf8")).toBe(own);
  });

  it("--trace draws a list of steps", async () => {
    const dir = await temporaryFolder(onTestFinished);
    const file = join(dir, "steps.txt");
    await writeFile(file, "Request(a1); Prepare(a1); Take(a1)\n");
    const ran = await runTool("findings", ["--trace", file, "--config", "GraphPutBack"]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(ran.stdout).toContain("a1->>L: 3. Take");
    expect(mermaidMistakes(ran.stdout.trimEnd())).toEqual([]);
  });

  it.each([
    [["--trace", "steps.txt"], "Name both"],
    [["--config", "GraphPutBack"], "Name both"],
    [["--trace", "no-such-file", "--config", "GraphPutBack"], "Cannot read the run"],
    [["--trace", "package.json", "--config", "GraphPutBack"], "Cannot follow the run: step 1"],
    [["--trace", "package.json", "--config", "Nothing"], "there is no model"],
    [["--draw"], "See --help"],
  ])("%j is a clear error, and not a pass", async (args, message) => {
    const { code, stdout, stderr } = await runTool("findings", args);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

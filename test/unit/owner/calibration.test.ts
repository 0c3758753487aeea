import fs from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  askLifeSocket,
  isLeftSocket,
  isLifeSocketName,
  type LifeAnswer,
  openLifeSocket,
} from "../../../src/owner/life.ts";

// tests A1: a refusal is believed only where one of our own sockets accepts

/** Who is refused: nobody, everybody, as in a sandbox that forbids to connect, or whoever asks for this one. */
const refused = vi.hoisted(() => ({ path: undefined as string | undefined, everybody: false }));

vi.mock("node:net", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:net")>();
  const connect = (options: { readonly path: string }): Socket => {
    if (!refused.everybody && options.path !== refused.path) return real.connect(options);
    const socket = new real.Socket();
    const error = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
    setImmediate(() => socket.destroy(error));
    return socket;
  };
  return { ...real, connect };
});

let directory = "";
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "swl-calibration-"));
});
afterEach(() => {
  refused.everybody = false;
  refused.path = undefined;
  fs.rmSync(directory, { recursive: true, force: true });
});

const ask = (life: string): Promise<LifeAnswer> =>
  new Promise((resolve) => askLifeSocket(directory, life, resolve));
const sockets = (): string[] => fs.readdirSync(directory).filter(isLifeSocketName);

describe.skipIf(process.platform !== "linux")("where everybody is refused", () => {
  it("nothing is proved of the living; one that refuses alone is let go", async () => {
    const living = openLifeSocket(directory);
    const life = living?.life ?? "";
    const before = sockets();
    expect(await ask(life)).toBe("accepts");
    refused.everybody = true;
    expect(await ask(life)).toBe("silent");
    expect(sockets()).toEqual(before);
    refused.everybody = false;
    refused.path = join(directory, `.swl-life-${life}`);
    expect(await ask(life)).toBe("refuses");
    living?.close();
  });

  it("a socket may be swept if nobody is named by it: that proves nothing, and its owner makes another", async () => {
    const living = openLifeSocket(directory);
    const [name = ""] = sockets();
    expect(await isLeftSocket(directory, name)).toBe(false);
    refused.everybody = true;
    expect(await isLeftSocket(directory, name)).toBe(true);
    expect(sockets()).toEqual([name]);
    living?.close();
  });
});

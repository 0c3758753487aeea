import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { CallerContext } from "../../src/context.ts";

describe("the context of whoever asks", () => {
  const storage = new AsyncLocalStorage<string>();

  const seenBy = (context: CallerContext): string | undefined => {
    let seen: string | undefined;
    storage.run("who lets go", () =>
      context.run(() => {
        seen = storage.getStore();
      }),
    );
    return seen;
  };

  it("is the present one until it is kept: in the turn of whoever asks that is the same", () => {
    expect(seenBy(new CallerContext())).toBe("who lets go");
  });

  it("is that in which it was kept from then on, each time", () => {
    const context = new CallerContext();
    storage.run("who asks", () => context.keep());
    expect([seenBy(context), seenBy(context)]).toEqual(["who asks", "who asks"]);
  });
});

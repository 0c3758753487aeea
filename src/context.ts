/** Whose AsyncLocalStorage it is: that of whoever asks, not of whoever lets go. What the handle starts belongs there. */

import { AsyncResource } from "node:async_hooks";

export class CallerContext {
  #resource: AsyncResource | undefined;

  /** To be called in the turn of whoever asks, if something will be run in others. */
  keep(): void {
    this.#resource = new AsyncResource("SessionWriteLock");
  }

  run(action: () => void): void {
    if (this.#resource === undefined) action();
    else this.#resource.runInAsyncScope(action);
  }
}

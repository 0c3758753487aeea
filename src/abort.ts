/** The signals of users. Many acquisitions may wait with one of them: that of a shutdown, say. */

interface Listener {
  readonly callbacks: Set<() => void>;
  readonly stop: () => void;
}

const listeners: WeakMap<AbortSignal, Listener> = new WeakMap();

/**
 * Calls back once when the signal aborts; what it returns ends that. However many wait for a signal, it has one listener
 * of ours: from the eleventh on Node.js would warn of a memory leak. The callback must not throw.
 */
export function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  const listener = listeners.get(signal) ?? listenTo(signal);
  listener.callbacks.add(callback);
  return () => {
    if (listener.callbacks.delete(callback) && listener.callbacks.size === 0) listener.stop();
  };
}

function listenTo(signal: AbortSignal): Listener {
  const callbacks = new Set<() => void>();
  const stop = (): void => {
    signal.removeEventListener("abort", onAbort);
    listeners.delete(signal);
  };
  const onAbort = (): void => {
    stop();
    for (const callback of callbacks) callback();
  };
  const listener: Listener = { callbacks, stop };
  listeners.set(signal, listener);
  signal.addEventListener("abort", onAbort, { once: true });
  return listener;
}

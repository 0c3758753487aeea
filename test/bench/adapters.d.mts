/** The types of adapters.mjs, for the parent of the workers. */

export type Acquire = () => Promise<() => unknown>;
export type Open = (file: string) => Acquire;
export const ADAPTERS: Readonly<Record<string, () => Promise<Open>>>;
export function nativeRequire(): NodeJS.Require;

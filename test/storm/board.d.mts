export const TASKS: number;
export const MOST_FILES: number;
export const WORD: Readonly<
  Record<
    | "state"
    | "stage"
    | "file"
    | "updates"
    | "sections"
    | "gaveUp"
    | "fullDisk"
    | "outOfDescriptors"
    | "clockJumps"
    | "markersOfTheDead",
    number
  >
>;
export const STATE: Readonly<Record<"starting" | "ready" | "runs", number>>;
export const STAGE: Readonly<Record<"outside" | "entered" | "writes" | "wrote", number>>;

export interface Board {
  read(life: number): Uint32Array;
  write(life: number, words: Uint32Array): void;
  tellToStop(): void;
  isToldToStop(): boolean;
  tellFullDisk(): void;
  wasFullDisk(): boolean;
  tellDescriptors(life: number): void;
  wereDescriptors(life: number): boolean;
  blank(): Uint32Array;
}

export function openBoard(directory: string): Board;

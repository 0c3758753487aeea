/**
 * A way in which an algorithm that is not ours fails: what spec/findings/ says about it beside the run itself. The
 * sentences are Markdown; links in them are relative to spec/findings/.
 */
export interface Hole {
  /** As the specification names it. */
  readonly name: string;
  /** One sentence: what goes wrong. */
  readonly title: string;
  /** The must-fail configuration of tla/models.json. */
  readonly configuration: string;
  /** What the shortest run violates. */
  readonly property: string;
  /** What happens, for a reader who has not seen the run. */
  readonly story: string;
  /** The smallest change that closes it, or why there is none. */
  readonly closedBy: string;
  /** Why session-write-lock does not have it. */
  readonly whyOursIsNot: string;
}

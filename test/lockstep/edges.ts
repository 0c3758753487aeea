/** The edges of the model that are reachable at a scope, and which of them were driven on the real lock. */

import type { Label } from "../../model/actions.ts";
import { explore } from "../../model/explore.ts";
import { labelText } from "../../model/machine.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { type Config, type State, stateKey } from "../../model/state.ts";
import type { Known } from "./world.ts";

/** An edge, in the words of the model. */
export interface Edge {
  readonly label: Label;
  readonly fromId: StateId;
  readonly from: State;
  readonly to: State;
}

/** The initial state is 0. */
export type StateId = number;

interface ModelEdge {
  readonly label: Label;
  readonly to: StateId;
  driven: boolean;
}

export class ModelEdges {
  private readonly ids = new Map<string, StateId>();
  private readonly known: Known[] = [];
  private readonly outgoing: ModelEdge[][] = [];
  /** Those that can be reached from where the chooser starts. */
  private readonly reachable: Set<StateId>;
  private readonly entered = new Set<StateId>();
  /** How many edges the real lock has gone along; all of them are reachable. */
  driven = 0;
  edges: number;
  private readonly takesInOthers: boolean;

  /**
   * Explores the model. `start` is the key of the state from which edges count: the initial one by default. Other
   * states and edges are errors, or (after an answer that was a lie) are taken in.
   */
  constructor(config: Config, start?: string, others: "errors" | "taken in" = "errors") {
    this.takesInOthers = others === "taken in";
    explore(ownerDirectory, config, {
      invariants: [],
      stepProperties: [],
      onState: (state, id) => {
        const key = stateKey(state);
        this.ids.set(key, id);
        this.known.push({ state, key });
        this.outgoing.push([]);
      },
      onEdge: (from, { label }, to) => {
        const edges = this.outgoing[from] ?? [];
        // A call that fails in two ways may come to one state: one edge.
        if (!edges.some((edge) => edge.to === to && sameLabel(edge.label, label))) {
          edges.push({ label, to, driven: false });
        }
      },
    });
    const root = start === undefined ? 0 : this.idOf({ key: start });
    this.reachable = this.reachableFrom(root);
    this.entered.add(root);
    this.edges = this.leaving(this.reachable);
  }

  get states(): number {
    return this.reachable.size;
  }

  /** How many of them the real lock has been in. */
  get statesEntered(): number {
    return this.entered.size;
  }

  idOf({ key, state }: { readonly key: string; readonly state?: State }): StateId {
    const id = this.ids.get(key);
    if (id !== undefined) return id;
    if (!this.takesInOthers || state === undefined) throw new Error(`the explorer does not reach ${key}`);
    this.ids.set(key, this.known.length);
    this.known.push({ state, key });
    this.outgoing.push([]);
    return this.known.length - 1;
  }

  state(id: StateId): Known {
    const known = this.known[id];
    if (known === undefined) throw new Error(`no state ${id}`);
    return known;
  }

  /** The real lock has gone this way. */
  drive(from: StateId, label: Label, to: StateId): void {
    const edge =
      this.outgoing[from]?.find((other) => other.to === to && sameLabel(other.label, label)) ??
      this.takeIn(from, label, to);
    if (edge.driven) return;
    edge.driven = true;
    this.driven++;
    this.entered.add(to);
  }

  private takeIn(from: StateId, label: Label, to: StateId): ModelEdge {
    if (!this.takesInOthers) throw new Error(`the explorer has no edge ${labelText(label)} there`);
    const edge: ModelEdge = { label, to, driven: false };
    this.outgoing[from]?.push(edge);
    this.edges++;
    return edge;
  }

  /** The driven ones, or those that were not driven though the lock has been where they begin. */
  *list(which: "driven" | "missed"): Generator<Edge> {
    for (const from of this.entered) {
      for (const { label, to, driven } of this.outgoing[from] ?? []) {
        if (driven === (which === "driven"))
          yield { label, fromId: from, from: this.state(from).state, to: this.state(to).state };
      }
    }
  }

  /** Edges from states that the real lock was never in: they lie behind those that were missed. */
  get behind(): number {
    return this.edges - this.leaving(this.entered);
  }

  private leaving(states: Iterable<StateId>): number {
    let found = 0;
    for (const id of states) found += this.outgoing[id]?.length ?? 0;
    return found;
  }

  private reachableFrom(root: StateId): Set<StateId> {
    const found = new Set([root]);
    // A set is walked in the order of insertion, and sees what is added meanwhile.
    for (const id of found) for (const { to } of this.outgoing[id] ?? []) found.add(to);
    return found;
  }
}

function sameLabel(one: Label, other: Label): boolean {
  return one.action === other.action && one.arg === other.arg;
}

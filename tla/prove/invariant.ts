/**
 * The inductive invariant, conjunct by conjunct, and what follows from it. Same names and order as in
 * tla/Inductive.tla and in spec/guarantees.md, "Why it holds for any number".
 */

import { CONTENDING, IN_FLIGHT, MID_TURN } from "../../model/actions.ts";
import { PCS } from "../../model/state.ts";
import { isAt, lives, lockIsExactly } from "./actions.ts";
import {
  and,
  apply,
  type Expr,
  equal,
  exists,
  forall,
  iff,
  implies,
  not,
  or,
  value,
  variable,
} from "./formula.ts";

export interface Conjunct {
  readonly name: string;
  readonly formula: Expr;
}

const t = variable("t1", "Task");
const u = variable("t2", "Task");
const p = variable("p1", "Proc");
const n = variable("n1", "Name");
const m = variable("n2", "Name");
const op = variable("op1", "Op");

const mine = apply("procOf", t);
const owesNothing = (proc: Expr, name: Expr): Expr => equal(apply("owes", proc, name), value("Debt", "none"));
const owesAt = (...debts: readonly string[]): Expr =>
  or(...debts.map((debt) => equal(apply("owes", p, n), value("Debt", debt))));

/** OnTheWayOut of the specification. */
const WAY_OUT = PCS.filter((pc) => !["idle", "queued", "holding", ...CONTENDING].includes(pc));
/** In one turn, which only a local disk has. */
const PUT_BACK_WAY = WAY_OUT.filter((pc) => MID_TURN.includes(pc));
/** Where a contender is while its name, on a local disk, is certainly not at L. */
const NOT_TAKEN = ["prepare", "take", "refused", "look", "looked", "evict", "clear", "waiting"] as const;

const contendsSomebody = (proc: Expr): Expr => exists([u], apply("contender", proc, u));
const holdsSomebody = (proc: Expr): Expr => exists([u], apply("heldLocks", proc, u));
const releasesSomething = (proc: Expr): Expr => exists([m], apply("releasing", proc, m));
const isBusy = (proc: Expr): Expr => or(contendsSomebody(proc), holdsSomebody(proc), releasesSomething(proc));
const occurs = or(
  apply("lock", n),
  apply("homes", n),
  exists([op], apply("late", op, n)),
  exists([t], apply("seen", t, n)),
);

export const CONJUNCTS: readonly Conjunct[] = [
  // The disk.
  {
    name: "OneNameAtL",
    formula: forall(
      [n, m],
      and(
        implies(apply("lock", n), apply("lockStands")),
        implies(and(apply("lock", n), apply("lock", m)), equal(n, m)),
      ),
    ),
  },
  {
    name: "HomesHoldTheirName",
    formula: forall([n, m], implies(apply("homeHas", n, m), and(equal(n, m), apply("homes", n)))),
  },
  { name: "NeverAtBoth", formula: forall([n], implies(apply("lock", n), not(apply("homes", n)))) },
  {
    name: "NoNameOfTheFuture",
    formula: forall(
      [n],
      implies(occurs, not(apply("less", apply("inc", apply("owner", n)), apply("born", n)))),
    ),
  },

  // The registry of a process.
  { name: "TheDeadAreIdle", formula: forall([t], implies(not(isAt(t, "idle")), apply("alive", mine))) },
  {
    name: "RegistryOfTheLiving",
    formula: forall(
      [p, n],
      implies(
        or(apply("home", p, n), apply("releasing", p, n), not(owesNothing(p, n))),
        and(equal(apply("owner", n), p), lives(n)),
      ),
    ),
  },
  {
    name: "OneHomeOneRelease",
    formula: forall(
      [p, n, m],
      implies(
        or(
          and(apply("home", p, n), apply("home", p, m)),
          and(apply("releasing", p, n), apply("releasing", p, m)),
          and(apply("home", p, n), apply("releasing", p, m)),
        ),
        equal(n, m),
      ),
    ),
  },
  {
    name: "NoGhostHolder",
    formula: forall([p, t], iff(apply("heldLocks", p, t), and(equal(mine, p), isAt(t, "holding")))),
  },
  {
    name: "HoldersShare",
    formula: forall(
      [p, t, u],
      implies(
        and(apply("heldLocks", p, t), apply("heldLocks", p, u)),
        or(equal(t, u), apply("reentrant", t)),
      ),
    ),
  },
  {
    name: "ContenderContends",
    formula: forall([p, t], iff(apply("contender", p, t), and(equal(mine, p), isAt(t, ...CONTENDING)))),
  },
  {
    name: "ContendHoldOrRelease",
    formula: forall(
      [p, t, u, n],
      and(
        implies(and(apply("contender", p, t), apply("contender", p, u)), equal(t, u)),
        implies(apply("contender", p, t), and(not(apply("heldLocks", p, u)), not(apply("releasing", p, n)))),
        implies(apply("heldLocks", p, t), not(apply("releasing", p, n))),
      ),
    ),
  },
  {
    name: "QueuedWait",
    formula: forall([p, t], iff(apply("queue", p, t), and(equal(mine, p), isAt(t, "queued")))),
  },
  {
    name: "NoIdleQueue",
    formula: forall([p, t], implies(apply("queue", p, t), isBusy(p))),
  },
  {
    name: "OneOnTheWayOut",
    formula: forall(
      [t, u],
      and(
        implies(isAt(t, ...WAY_OUT), exists([n], and(apply("home", mine, n), apply("releasing", mine, n)))),
        implies(and(isAt(t, ...WAY_OUT), isAt(u, ...WAY_OUT), equal(mine, apply("procOf", u))), equal(t, u)),
        implies(isAt(t, ...PUT_BACK_WAY), apply("local")),
      ),
    ),
  },
  {
    name: "ContenderHasHome",
    formula: forall(
      [t],
      and(
        implies(
          isAt(t, ...IN_FLIGHT, "verify", "verified", "unverified", "evict", "clear", "holding"),
          exists([n], apply("home", mine, n)),
        ),
        implies(isAt(t, "prepare"), forall([n], not(apply("home", mine, n)))),
      ),
    ),
  },
  {
    name: "WhoGaveUpHoldsNothing",
    formula: forall(
      [t],
      implies(
        apply("gaveUp", t),
        not(isAt(t, "idle", "queued", "prepare", "evict", "clear", "waiting", "holding")),
      ),
    ),
  },
  {
    name: "SeenIsBeingJudged",
    formula: and(
      forall(
        [t, n],
        implies(or(apply("sawDirectory", t), apply("seen", t, n)), isAt(t, "looked", "lookedDoubt", "evict")),
      ),
      forall([t], implies(isAt(t, "evict"), exists([n], apply("seen", t, n)))),
    ),
  },

  {
    name: "ClearsWhereNeeded",
    formula: and(
      forall([t], implies(isAt(t, "clear"), not(apply("replacesEmpty")))),
      forall([n], implies(apply("late", value("Op", "clear"), n), not(apply("replacesEmpty")))),
    ),
  },

  // What is known of the disk.
  {
    name: "HeldNameIsAtL",
    formula: forall(
      [t],
      implies(
        isAt(t, "verified", "holding", "putBack"),
        exists([n], and(apply("home", mine, n), apply("lock", n))),
      ),
    ),
  },
  {
    name: "LeftIsLeft",
    formula: forall(
      [t, n],
      and(
        implies(
          and(isAt(t, "dropped"), apply("home", mine, n)),
          and(not(apply("lock", n)), not(apply("homeHas", n, n))),
        ),
        implies(and(isAt(t, "released"), apply("home", mine, n)), not(apply("lock", n))),
      ),
    ),
  },
  {
    name: "NotTakenYet",
    formula: forall(
      [t, n],
      implies(and(apply("local"), isAt(t, ...NOT_TAKEN), apply("home", mine, n)), not(apply("lock", n))),
    ),
  },
  {
    name: "EvictsOnlyTheDead",
    formula: forall([t, n], implies(and(isAt(t, "evict"), apply("seen", t, n)), not(lives(n)))),
  },

  // What is still to come.
  {
    name: "LateOnlyIfNotLocal",
    formula: forall(
      [op, n],
      and(implies(apply("late", op, n), not(apply("local"))), not(apply("late", value("Op", "putBack"), n))),
    ),
  },
  {
    name: "LateUnlinkIsNobodys",
    formula: forall(
      [p, op, n],
      implies(
        and(
          apply("late", op, n),
          not(or(equal(op, value("Op", "take")), equal(op, value("Op", "clear")))),
          apply("home", p, n),
        ),
        apply("releasing", p, n),
      ),
    ),
  },
  { name: "HomeIsNotOwed", formula: forall([p, n], implies(apply("home", p, n), owesNothing(p, n))) },
  {
    name: "DebtsGoForward",
    formula: forall(
      [p, n],
      and(
        implies(owesAt("unlinkLock", "rmdirHome", "paid"), not(apply("homeHas", n, n))),
        implies(owesAt("rmdirHome", "paid"), not(apply("lock", n))),
      ),
    ),
  },
  {
    name: "NothingUntracked",
    formula: forall(
      [n],
      implies(
        and(or(apply("lock", n), apply("homeHas", n, n)), lives(n)),
        or(
          apply("home", apply("owner", n), n),
          apply("releasing", apply("owner", n), n),
          not(owesNothing(apply("owner", n), n)),
        ),
      ),
    ),
  },
  {
    name: "IdleHomeIsHarmless",
    formula: forall(
      [p, n],
      implies(and(apply("home", p, n), or(not(apply("local")), apply("lock", n))), isBusy(p)),
    ),
  },
];

const together = and(equal(mine, apply("procOf", u)), apply("reentrant", t), apply("reentrant", u));

/** The properties of model/properties.ts, under their names. Each follows from the invariant. */
export const CONSEQUENCES: readonly Conjunct[] = [
  {
    name: "MutualExclusion",
    formula: forall([t, u], implies(and(isAt(t, "holding"), isAt(u, "holding"), not(equal(t, u))), together)),
  },
  {
    name: "HeldIsOnDisk",
    formula: forall(
      [p, t],
      implies(apply("heldLocks", p, t), exists([n], and(apply("home", p, n), lockIsExactly(n)))),
    ),
  },
  {
    name: "NoGhostHolder",
    formula: forall([t], iff(and(isAt(t, "holding"), not(apply("gaveUp", t))), apply("heldLocks", mine, t))),
  },
  {
    name: "OneContender",
    formula: and(
      forall(
        [t, u],
        implies(
          and(isAt(t, ...CONTENDING), isAt(u, ...CONTENDING), equal(mine, apply("procOf", u))),
          equal(t, u),
        ),
      ),
      forall([p], implies(contendsSomebody(p), and(not(holdsSomebody(p)), not(releasesSomething(p))))),
    ),
  },
  {
    name: "NoIdleQueue",
    formula: forall([p], implies(exists([t], apply("queue", p, t)), isBusy(p))),
  },
  {
    name: "NothingForgotten",
    formula: forall(
      [n],
      implies(
        and(apply("lock", n), lives(n)),
        or(
          and(
            apply("home", apply("owner", n), n),
            or(contendsSomebody(apply("owner", n)), holdsSomebody(apply("owner", n))),
          ),
          apply("releasing", apply("owner", n), n),
          not(owesNothing(apply("owner", n), n)),
        ),
      ),
    ),
  },
];

/** What the orders of the solver's own elements are: incarnations and budgets count up. */
export const AXIOMS: readonly Expr[] = (() => {
  const [i, j, k] = [variable("i", "Count"), variable("j", "Count"), variable("k", "Count")];
  const less = (one: Expr, other: Expr): Expr => apply("less", one, other);
  return [
    forall([i], not(less(i, i))),
    forall([i, j, k], implies(and(less(i, j), less(j, k)), less(i, k))),
    forall([i, j], or(equal(i, j), less(i, j), less(j, i))),
    forall([i, j], implies(apply("follows", i, j), less(i, j))),
  ];
})();

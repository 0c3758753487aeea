/**
 * The actions of OwnerDirectory.tla as formulas: same names, same order, one function each. A state and the
 * encoding of an action determine its successors, up to the choices that the action leaves open, so an action
 * is a list of cases: what is chosen, when it is possible, what changes. Everything else stays.
 *
 * evaluate.ts compares the cases with the edges of the model, in both directions. smt.ts asks the solver.
 */

import { ACTIONS, type ActionName, IN_FLIGHT, MID_TURN } from "../../model/actions.ts";
import type { DebtStep, FaultKind, Guard, LateOp, Pc } from "../../model/state.ts";
import {
  and,
  apply,
  choose,
  type Expr,
  equal,
  exists,
  forall,
  implies,
  mapParts,
  not,
  or,
  STATE_SYMBOLS,
  type StateSymbol,
  truth,
  type Var,
  value,
  variable,
} from "./formula.ts";
import type { ProvedAction } from "./twins.ts";

/** One way in which an action happens. */
export interface Case {
  readonly chosen: readonly Var[];
  readonly guard: Expr;
  readonly updates: readonly Update[];
}

/** The new value of a variable at every argument, in terms of the old state. */
export interface Update {
  readonly symbol: StateSymbol;
  readonly args: readonly Var[];
  readonly value: Expr;
}

export interface EncodedAction {
  readonly name: ActionName | "Init";
  readonly params: readonly Var[];
  readonly cases: readonly Case[];
}

/** A piece of a case, before its changes are put together: the later change of the same variable wins. */
interface Piece {
  readonly chosen: readonly Var[];
  readonly guard: Expr;
  readonly changes: readonly Change[];
}
interface Change {
  readonly symbol: StateSymbol;
  readonly define: (args: readonly Var[], old: Expr) => Expr;
}

export function encodeActions(broken: readonly Guard[] = []): readonly EncodedAction[] {
  const isBroken = (guard: Guard): boolean => broken.includes(guard);
  return PROVED_ACTIONS.map((name) => {
    const { params, pieces } = ENCODINGS[name](isBroken);
    return {
      name,
      params,
      cases: pieces
        .map(caseOf)
        .map((one) => (isBroken("NoMaxDebts") ? withoutBound(one) : one))
        .filter(({ guard }) => guard.kind !== "truth" || guard.value),
    };
  });
}

/** Broken: there is always room for one more debt. */
function withoutBound({ chosen, guard, updates }: Case): Case {
  const without = (expr: Expr): Expr =>
    expr.kind === "apply" && expr.symbol.startsWith("room") ? truth(true) : mapParts(expr, without);
  return {
    chosen,
    guard: without(guard),
    updates: updates.map((update) => ({ ...update, value: without(update.value) })),
  };
}

/** The initial state, as an action that may follow anything. */
export function encodeInit(): EncodedAction {
  const initial: Partial<Record<StateSymbol, Expr>> = {
    alive: truth(true),
    inc: apply("first"),
    owes: value("Debt", "none"),
    pc: value("Pc", "idle"),
    crashes: apply("maxCrashes"),
    faults: apply("maxFaults"),
    vandals: apply("maxVandals"),
    requests: apply("maxRequests"),
  };
  const changes = (Object.keys(STATE_SYMBOLS) as StateSymbol[]).map((symbol) => ({
    symbol,
    define: () => initial[symbol] ?? truth(false),
  }));
  return { name: "Init", params: [], cases: [caseOf({ chosen: [], guard: truth(true), changes })] };
}

// ------------------------------------------------------------------------------------------------
// Words

const t = variable("t", "Task");
const u = variable("u", "Task");
const h = variable("h", "Task");
const p = variable("p", "Proc");
const n = variable("n", "Name");
const m = variable("m", "Name");
const x = variable("x", "Name");

const mine = apply("procOf", t);
export const isAt = (task: Expr, ...pcs: readonly Pc[]): Expr =>
  or(...pcs.map((pc) => equal(apply("pc", task), value("Pc", pc))));
const owesAt = (proc: Expr, name: Expr, ...debts: readonly string[]): Expr =>
  or(...debts.map((debt) => equal(apply("owes", proc, name), value("Debt", debt))));
export const lives = (name: Expr): Expr =>
  and(apply("alive", apply("owner", name)), equal(apply("inc", apply("owner", name)), apply("born", name)));

const free = forall([m], not(apply("lock", m)));
/** What rename puts a directory in the place of: nothing, or an empty one where the platform does. */
const replaceable = or(not(apply("lockStands")), and(apply("replacesEmpty"), free));
const isEmpty = (name: Expr): Expr => forall([m], not(apply("homeHas", name, m)));
/** A directory that holds exactly this name. */
const exactly = (stands: Expr, has: (name: Expr) => Expr, name: Expr): Expr =>
  and(stands, has(name), forall([m], implies(has(m), equal(m, name))));
export const lockIsExactly = (name: Expr): Expr =>
  exactly(apply("lockStands"), (y) => apply("lock", y), name);

const noTask = (symbol: "heldLocks" | "contender" | "queue", proc: Expr): Expr =>
  forall([u], not(apply(symbol, proc, u)));
const noName = (symbol: "home" | "releasing", proc: Expr): Expr => forall([m], not(apply(symbol, proc, m)));
const isHead = (proc: Expr, task: Expr): Expr =>
  and(apply("queue", proc, task), forall([u], not(apply("ahead", proc, u, task))));

/** No task of `proc`, apart from `except`, is between two synchronous calls of one turn. */
const threadFree = (proc: Expr, except?: Expr): Expr => {
  const other = except === undefined ? truth(true) : not(equal(u, except));
  return forall([u], implies(and(equal(apply("procOf", u), proc), other), not(isAt(u, ...MID_TURN))));
};
const myTurn = threadFree(mine, t);

const unreferenced = (name: Expr, isBroken: IsBroken): Expr => {
  const op = variable("op", "Op");
  const q = variable("q", "Proc");
  const unseen = and(not(apply("lock", name)), not(apply("homes", name)));
  if (isBroken("ReuseName")) return unseen;
  return and(
    unseen,
    forall([m], not(apply("homeHas", m, name))),
    forall([op], not(apply("late", op, name))),
    forall([q], not(apply("home", q, name))),
    forall([q], not(apply("releasing", q, name))),
    forall([q], owesAt(q, name, "none")),
    forall([u], not(apply("seen", u, name))),
  );
};

// ------------------------------------------------------------------------------------------------
// Putting cases together

const when = (guard: Expr, ...changes: readonly Change[]): Piece[] => [{ chosen: [], guard, changes }];
const effect = (...changes: readonly Change[]): Piece[] => when(truth(true), ...changes);
const nothing = effect();
const some = (chosen: Var, guard: Expr, ...changes: readonly Change[]): Piece[] => [
  { chosen: [chosen], guard, changes },
];
const either = (...choices: readonly (readonly Piece[])[]): Piece[] => choices.flat();

/** One after another: every way of the first with every way of the next. */
function both(...parts: readonly (readonly Piece[])[]): Piece[] {
  return parts.reduce<Piece[]>(
    (sofar, part) =>
      sofar.flatMap((one) =>
        part.map((next) => ({
          chosen: [...one.chosen, ...next.chosen.filter((v) => !one.chosen.includes(v))],
          guard: and(one.guard, next.guard),
          changes: [...one.changes, ...next.changes],
        })),
      ),
    effect(),
  );
}

function caseOf({ chosen, guard, changes }: Piece): Case {
  const symbols = [...new Set(changes.map(({ symbol }) => symbol))];
  const updates = symbols.map((symbol) => {
    const args = STATE_SYMBOLS[symbol].args.map((sort, i) => variable(`${symbol}${i}`, sort));
    const value = changes
      .filter((change) => change.symbol === symbol)
      .reduce((old, change) => change.define(args, old), apply(symbol, ...args));
    return { symbol, args, value };
  });
  return { chosen, guard, updates };
}

/** The variable at these arguments gets a new value. */
const put = (symbol: StateSymbol, key: readonly Expr[], to: Expr): Change => ({
  symbol,
  define: (args, old) => choose(and(...args.map((arg, i) => equal(arg, key[i] ?? arg))), to, old),
});
const add = (symbol: StateSymbol, ...key: readonly Expr[]): Change => put(symbol, key, truth(true));
const drop = (symbol: StateSymbol, ...key: readonly Expr[]): Change => put(symbol, key, truth(false));
/** The set at `key` becomes what `has` says. */
const become = (symbol: StateSymbol, key: readonly Expr[], has: (element: Expr) => Expr): Change => ({
  symbol,
  define: (args, old) => {
    const keys = args.slice(0, key.length);
    const element = args[key.length];
    if (element === undefined) throw new Error(`${symbol} is no set`);
    return choose(and(...keys.map((arg, i) => equal(arg, key[i] ?? arg))), has(element), old);
  },
});
const clear = (symbol: StateSymbol, ...key: readonly Expr[]): Change =>
  become(symbol, key, () => truth(false));
const only = (symbol: StateSymbol, key: Expr, element: Expr): Change =>
  become(symbol, [key], (other) => equal(other, element));

const goto = (task: Expr, pc: Pc): Change => put("pc", [task], value("Pc", pc));
const gotoIf = (task: Expr, condition: Expr, yes: Pc, no: Pc): Change =>
  put("pc", [task], choose(condition, value("Pc", yes), value("Pc", no)));
const owe = (proc: Expr, name: Expr, debt: DebtStep | "paid" | "none"): Change =>
  put("owes", [proc, name], value("Debt", debt));
const leaveQueue = (proc: Expr, leaves: (task: Expr) => Expr): readonly Change[] => [
  become("queue", [proc], (task) => and(apply("queue", proc, task), not(leaves(task)))),
  {
    symbol: "ahead",
    define: ([q, one, other], old) => {
      if (q === undefined || one === undefined || other === undefined) throw new Error("ahead has three");
      return and(old, not(and(equal(q, proc), or(leaves(one), leaves(other)))));
    },
  },
];

/** One less of a budget: possible while something is left. */
const spend = (budget: "crashes" | "faults" | "vandals" | "requests"): Piece[] => {
  const left = variable("left", "Count");
  return some(left, apply("follows", left, apply(budget)), put(budget, [], left));
};
const fails = (kind: FaultKind): Piece[] =>
  both(when(apply("mayFail", value("Kind", kind))), spend("faults"));

/** A call that reported failure may take effect later, except where a call ends with its process (A4). */
const sendLate = (op: LateOp, name: Expr): Piece[] =>
  when(not(apply("local")), add("late", value("Op", op), name));
const laterOrNot = (op: LateOp, name: Expr): Piece[] => either(nothing, sendLate(op, name));

const withHome = (proc: Expr): Piece[] => some(n, apply("home", proc, n));

// ------------------------------------------------------------------------------------------------
// Pieces of actions, as in the specification

/** Where a task starts that becomes the contender. */
type Start = (task: Expr) => Piece[];
const startAt =
  (pc: Pc): Start =>
  (task) =>
    effect(goto(task, pc));
/** No home at hand. */
const startBare =
  (room: Expr): Start =>
  (task) =>
    effect(gotoIf(task, room, "prepare", "waiting"));
/** With the home that `proc` has, if it has one: Start1. */
const start1 =
  (proc: Expr, room: Expr): Start =>
  (task) =>
    either(
      some(m, apply("home", proc, m), goto(task, "take")),
      both(when(noName("home", proc)), startBare(room)(task)),
    );

/** The head of the queue becomes the contender, if there is one. */
const promote = (proc: Expr, start: Start): Piece[] =>
  either(
    when(noTask("queue", proc), clear("contender", proc)),
    both(
      some(h, isHead(proc, h), only("contender", proc, h), ...leaveQueue(proc, (task) => equal(task, h))),
      start(h),
    ),
  );
const passSlot = (start: Start): Piece[] => both(effect(goto(t, "idle")), promote(mine, start));
/** Broken: the slot is left, and the queue is not looked at. */
const toNobody: readonly Piece[] = effect(clear("contender", mine), goto(t, "idle"));

const group =
  (first: Expr, isBroken: IsBroken) =>
  (task: Expr): Expr => {
    const shares = isBroken("ShareWithExclusive") ? truth(true) : apply("reentrant", first);
    return or(equal(task, first), and(shares, apply("reentrant", task), apply("queue", mine, task)));
  };
/** The lock goes to these tasks, and `t` has it no more unless it is one of them. */
const giveTo = (isHeir: (task: Expr) => Expr): Piece[] =>
  effect(become("heldLocks", [mine], isHeir), ...leaveQueue(mine, isHeir), {
    symbol: "pc",
    define: ([task = t], old) =>
      choose(isHeir(task), value("Pc", "holding"), choose(equal(task, t), value("Pc", "idle"), old)),
  });

/** The way off the disk; a Drop also of a holder that missed a beat. */
const leavesDisk = (): Piece[] =>
  either(
    effect(gotoIf(t, apply("local"), "check", "drop")),
    both(when(apply("local")), fails("beat"), effect(goto(t, "drop"))),
  );
const endRelease = (proc: Expr): readonly Change[] => [clear("releasing", proc), drop("aside", proc)];

type IsBroken = (guard: Guard) => boolean;

const firstCall = (isBroken: IsBroken): DebtStep => (isBroken("OweLockFirst") ? "unlinkLock" : "unlinkHome");

const giveUpHome = (isBroken: IsBroken): Piece[] => {
  const owed = isBroken("ForgetGivenUpHome") ? [] : [owe(mine, n, firstCall(isBroken))];
  return both(withHome(mine), effect(clear("home", mine), ...owed));
};
const leaveHome = (isBroken: IsBroken): Piece[] => {
  if (isBroken("KeepIdleHome")) return nothing;
  const leaves = and(not(apply("local")), noTask("queue", mine));
  return either(both(when(leaves), giveUpHome(isBroken)), when(or(not(leaves), noName("home", mine))));
};
/** The contender's request is over without the lock. */
const leave = (isBroken: IsBroken): Piece[] =>
  both(
    isBroken("RefusedNeverPromotes") ? toNobody : passSlot(start1(mine, apply("room", mine))),
    effect(drop("gaveUp", t)),
    leaveHome(isBroken),
  );
/** The home is given up; then wait and try again, or, given up or one error too many, leave. */
const waitOrLeave = (isBroken: IsBroken): Piece[] => {
  const room = isBroken("ForgetGivenUpHome") ? apply("room", mine) : apply("roomWith", mine, n);
  return both(
    giveUpHome(isBroken),
    either(
      when(not(apply("gaveUp", t)), goto(t, "waiting")),
      both(passSlot(startBare(room)), effect(drop("gaveUp", t))),
    ),
  );
};

const forget: readonly Change[] = [drop("sawDirectory", t), clear("seen", t)];

// What the disk does. `possible` is when, the changes are what.

/** rename(home, L). */
const takePossible = (name: Expr): Expr => and(apply("homes", name), replaceable);
const takeHappens = (name: Expr): readonly Change[] => [
  put("lockStands", [], truth(true)),
  become("lock", [], (other) => apply("homeHas", name, other)),
  drop("homes", name),
  clear("homeHas", name),
];
const rename = (name: Expr): Piece[] => when(takePossible(name), ...takeHappens(name));
/** rename(L, home). */
const putBackPossible = (name: Expr): Expr =>
  and(apply("lockStands"), implies(apply("homes", name), and(apply("replacesEmpty"), isEmpty(name))));
const putBackHappens = (name: Expr): readonly Change[] => [
  add("homes", name),
  become("homeHas", [name], (other) => apply("lock", other)),
  put("lockStands", [], truth(false)),
  clear("lock"),
];
/** unlink(home/own), unlink(L/own), rmdir(home): changes nothing where it is refused. */
const retryHappens = (name: Expr, step: DebtStep, isBroken: IsBroken): Piece[] => {
  if (step === "unlinkHome") return effect(drop("homeHas", name, name));
  if (step === "unlinkLock" && isBroken("RetryByPath")) {
    return either(when(apply("lock", name), drop("lock", name)), when(not(apply("lock", name)), ...noLock));
  }
  if (step === "unlinkLock") return effect(drop("lock", name));
  const removed = and(apply("homes", name), isEmpty(name));
  return effect(put("homes", [name], and(apply("homes", name), not(removed))));
};
/** Whatever stands at L is gone. */
const noLock: readonly Change[] = [put("lockStands", [], truth(false)), clear("lock")];

// ------------------------------------------------------------------------------------------------
// The actions

interface Encoding {
  readonly params: readonly Var[];
  readonly pieces: readonly Piece[];
}
const ofTask = (guard: Expr, pieces: readonly Piece[]): Encoding => ({
  params: [t],
  pieces: both(when(guard), pieces),
});

function request(isBroken: IsBroken): Encoding {
  const held = noTask("heldLocks", mine);
  const allShare = forall([u], implies(apply("heldLocks", mine, u), apply("reentrant", u)));
  const joins = or(
    and(not(held), isBroken("JoinExclusive") ? truth(true) : allShare, apply("reentrant", t)),
    isBroken("JoinWhileReleasing")
      ? and(not(noName("releasing", mine)), apply("reentrant", t))
      : truth(false),
  );
  const owedRelease = (name: Expr): Expr =>
    and(apply("releasing", mine, name), not(owesAt(mine, name, "none")));
  const adopts = isBroken("HoldDroppedName") ? exists([x], owedRelease(x)) : truth(false);
  const noRelease = isBroken("ContendWhileReleasing") ? truth(true) : noName("releasing", mine);
  const contends = and(held, noTask("contender", mine), noTask("queue", mine), noRelease);
  const append: Change = {
    symbol: "ahead",
    define: ([q = p, one = t, other = t], old) => {
      const [before, after] = isBroken("LifoQueue") ? [other, one] : [one, other];
      return or(old, and(equal(q, mine), equal(after, t), apply("queue", mine, before)));
    },
  };
  return ofTask(
    and(apply("alive", mine), isAt(t, "idle"), threadFree(mine)),
    both(
      either(when(not(apply("counted"))), both(when(apply("counted")), spend("requests"))),
      either(
        when(joins, add("heldLocks", mine, t), goto(t, "holding")),
        both(
          when(and(not(joins), adopts)),
          some(
            x,
            owedRelease(x),
            only("heldLocks", mine, t),
            only("home", mine, x),
            owe(mine, x, "none"),
            ...endRelease(mine),
            goto(t, "holding"),
          ),
        ),
        both(
          when(and(not(joins), not(adopts), contends), only("contender", mine, t)),
          start1(mine, apply("room", mine))(t),
        ),
        when(and(not(joins), not(adopts), not(contends)), add("queue", mine, t), append, goto(t, "queued")),
      ),
    ),
  );
}

function prepare(isBroken: IsBroken): Encoding {
  const fresh = and(
    equal(apply("owner", x), mine),
    equal(apply("born", x), apply("inc", mine)),
    apply("chosen", x),
    unreferenced(x, isBroken),
  );
  const made = [add("homes", x), only("homeHas", x, x)] as const;
  return ofTask(
    isAt(t, "prepare"),
    both(
      some(x, fresh),
      either(
        effect(...made, only("home", mine, x), goto(t, "take")),
        both(
          fails("prepare"),
          either(nothing, effect(add("homes", x), clear("homeHas", x)), effect(...made)),
          effect(owe(mine, x, firstCall(isBroken))),
          passSlot(startBare(apply("roomWith", mine, x))),
        ),
      ),
    ),
  );
}

function take(isBroken: IsBroken): Encoding {
  const doubt = isBroken("DoubtIsRefusal") ? "refused" : "failed";
  const refusal = gotoIf(t, apply("homes", n), "refused", doubt);
  const possible = isBroken("TakeReplaces") ? apply("homes", n) : takePossible(n);
  const taken = when(possible, ...takeHappens(n));
  const answered = either(both(taken, effect(goto(t, "taken"))), when(not(possible), refusal));
  return ofTask(
    and(isAt(t, "take"), apply("alive", mine)),
    both(
      withHome(mine),
      either(
        answered,
        both(answered, fails("take"), sendLate("take", n)),
        both(fails("take"), effect(goto(t, doubt)), laterOrNot("take", n), either(taken, nothing)),
      ),
    ),
  );
}

function verify(isBroken: IsBroken): Encoding {
  const good = isBroken("NoVerify") ? truth(true) : lockIsExactly(n);
  return ofTask(
    and(isAt(t, "taken", "verify"), myTurn),
    both(
      withHome(mine),
      either(
        when(good, goto(t, "verified")),
        when(not(good), goto(t, "unverified")),
        both(fails("verify"), effect(goto(t, "unverified"))),
      ),
    ),
  );
}

function granted(isBroken: IsBroken): Encoding {
  const gone = isBroken("GrantToGone") ? truth(false) : apply("gaveUp", t);
  return ofTask(
    isAt(t, "verified"),
    both(
      effect(clear("contender", mine)),
      either(
        both(when(not(gone)), giveTo(group(t, isBroken))),
        both(when(gone), some(h, isHead(mine, h)), giveTo(group(h, isBroken)), effect(drop("gaveUp", t))),
        both(
          when(and(gone, noTask("queue", mine))),
          withHome(mine),
          effect(only("releasing", mine, n), drop("aside", mine)),
          leavesDisk(),
        ),
      ),
    ),
  );
}

function refused(isBroken: IsBroken): Encoding {
  return ofTask(
    myTurn,
    either(
      when(isAt(t, "failed"), goto(t, "lookDoubt")),
      when(and(isAt(t, "refused"), not(apply("gaveUp", t))), goto(t, "look")),
      both(when(and(isAt(t, "refused"), apply("gaveUp", t))), leave(isBroken)),
      both(when(isAt(t, "unverified")), waitOrLeave(isBroken)),
    ),
  );
}

function look(): Encoding {
  const sees = [
    put("sawDirectory", [t], apply("lockStands")),
    become("seen", [t], (other) => apply("lock", other)),
  ] as const;
  return ofTask(
    truth(true),
    either(
      when(isAt(t, "look"), ...sees, goto(t, "looked")),
      when(isAt(t, "lookDoubt"), ...sees, goto(t, "lookedDoubt")),
      both(when(isAt(t, "look"), ...forget, goto(t, "looked")), fails("look")),
      both(when(isAt(t, "lookDoubt"), ...forget, goto(t, "lookedDoubt")), fails("look")),
    ),
  );
}

function judge(isBroken: IsBroken): Encoding {
  const holdsBy = (name: Expr): Expr => and(not(noTask("heldLocks", mine)), apply("home", mine, name));
  const dead = (name: Expr): Expr =>
    isBroken("JudgeByHeldLocks")
      ? or(not(lives(name)), and(apply("samePid", apply("owner", name), mine), not(holdsBy(name))))
      : not(lives(name));
  const seesOurs = exists([m], and(apply("home", mine, m), apply("seen", t, m)));
  const ours = isBroken("OwnIsAnothers") ? truth(false) : seesOurs;
  const nobody = forall([x], not(apply("seen", t, x)));
  const allDead = forall([x], implies(apply("seen", t, x), dead(x)));
  const evicts = and(not(nobody), isBroken("NeverEvict") ? truth(false) : allDead);
  const clears = isBroken("NoClear")
    ? truth(false)
    : and(apply("sawDirectory", t), not(apply("replacesEmpty")));
  return ofTask(
    and(isAt(t, "looked", "lookedDoubt"), myTurn),
    either(
      when(ours, ...forget, goto(t, "verify")),
      both(when(and(not(ours), isAt(t, "lookedDoubt")), ...forget), waitOrLeave(isBroken)),
      both(when(and(not(ours), isAt(t, "looked"), apply("gaveUp", t)), ...forget), leave(isBroken)),
      both(
        when(and(not(ours), isAt(t, "looked"), not(apply("gaveUp", t)))),
        either(
          when(and(nobody, not(clears)), ...forget, goto(t, "take")),
          when(and(nobody, not(clears)), ...forget, goto(t, "waiting")),
          when(evicts, goto(t, "evict")),
          when(and(not(nobody), not(evicts)), ...forget, goto(t, "waiting")),
          when(and(nobody, clears), ...forget, goto(t, "clear")),
        ),
      ),
    ),
  );
}

function evict(isBroken: IsBroken): Encoding {
  const happens = isBroken("EvictByPath") ? effect(...noLock) : effect(drop("lock", x));
  const last = forall([m], implies(apply("seen", t, m), equal(m, x)));
  return ofTask(
    isAt(t, "evict"),
    both(
      some(x, apply("seen", t, x)),
      either(
        both(happens, when(last, ...forget, goto(t, "take"))),
        both(happens, when(not(last), drop("seen", t, x))),
        both(
          fails("evict"),
          either(happens, nothing),
          laterOrNot("unlinkLock", x),
          effect(...forget, goto(t, "waiting")),
        ),
      ),
    ),
  );
}

/** rmdir(L): changes nothing where it is not empty. */
const clears: Change = put("lockStands", [], and(apply("lockStands"), not(free)));

function clearLock(isBroken: IsBroken): Encoding {
  const happens = isBroken("ClearByForce")
    ? effect(put("lockStands", [], truth(false)), clear("lock"))
    : effect(clears);
  return ofTask(
    isAt(t, "clear"),
    either(
      both(happens, effect(goto(t, "take"))),
      both(happens, effect(goto(t, "waiting"))),
      both(
        fails("clear"),
        withHome(mine),
        either(happens, nothing),
        laterOrNot("clear", n),
        effect(goto(t, "waiting")),
      ),
    ),
  );
}

function wake(): Encoding {
  return ofTask(and(isAt(t, "waiting"), myTurn), start1(mine, apply("room", mine))(t));
}

function giveUp(isBroken: IsBroken): Encoding {
  const leavesWaiting = isBroken("NeverPromote")
    ? effect(clear("contender", mine), goto(t, "idle"))
    : both(passSlot(startAt("waiting")), leaveHome(isBroken));
  const passes = isBroken("PassSlotInFlight") ? isAt(t, "take") : truth(false);
  const stays = and(isAt(t, ...IN_FLIGHT), not(passes));
  return ofTask(
    and(not(apply("patient", t)), not(apply("gaveUp", t)), threadFree(mine)),
    either(
      isBroken("GoneStaysQueued")
        ? when(isAt(t, "queued"), add("gaveUp", t))
        : when(isAt(t, "queued"), ...leaveQueue(mine, (task) => equal(task, t)), goto(t, "idle")),
      both(when(isAt(t, "waiting")), leavesWaiting),
      when(stays, add("gaveUp", t)),
      both(when(passes, add("gaveUp", t)), promote(mine, start1(mine, apply("room", mine)))),
    ),
  );
}

function release(isBroken: IsBroken): Encoding {
  const last = and(
    apply("heldLocks", mine, t),
    forall([u], implies(apply("heldLocks", mine, u), equal(u, t))),
  );
  const leaves = isBroken("HoldWhileReleasing") ? [] : [drop("heldLocks", mine, t)];
  const toDisk = [...leaves, only("releasing", mine, n)] as const;
  const heirs = (task: Expr): Expr =>
    isBroken("HandOverToAll") ? apply("queue", mine, task) : group(h, isBroken)(task);
  return ofTask(
    and(isAt(t, "holding"), threadFree(mine)),
    either(
      when(not(last), drop("heldLocks", mine, t), goto(t, "idle")),
      both(when(last), some(h, isHead(mine, h)), giveTo(heirs)),
      both(
        when(isBroken("ReleaseOfAll") ? truth(true) : last),
        withHome(mine),
        either(
          when(noTask("queue", mine), ...toDisk, drop("aside", mine)),
          when(not(noTask("queue", mine)), ...toDisk, add("aside", mine)),
        ),
        leavesDisk(),
      ),
    ),
  );
}

function check(isBroken: IsBroken): Encoding {
  const good = isBroken("NoCheck") ? truth(true) : lockIsExactly(n);
  return ofTask(
    isAt(t, "check"),
    both(
      withHome(mine),
      either(
        when(good, goto(t, "putBack")),
        when(not(good), goto(t, "drop")),
        both(fails("check"), effect(goto(t, "drop"))),
      ),
    ),
  );
}

function putBack(): Encoding {
  const happens = when(putBackPossible(n), ...putBackHappens(n));
  return ofTask(
    isAt(t, "putBack"),
    both(
      withHome(mine),
      either(
        both(happens, effect(goto(t, "confirm"))),
        when(not(putBackPossible(n)), goto(t, "drop")),
        both(fails("putBack"), either(happens, nothing), effect(goto(t, "drop"))),
      ),
    ),
  );
}

function confirm(isBroken: IsBroken): Encoding {
  const isOurs = exactly(apply("homes", n), (other) => apply("homeHas", n, other), n);
  const ours = isBroken("NoConfirm") ? truth(true) : isOurs;
  return ofTask(
    isAt(t, "confirm"),
    both(
      withHome(mine),
      either(
        when(ours, goto(t, "released")),
        when(not(ours), goto(t, "restore")),
        both(fails("confirm"), effect(goto(t, "restore"))),
      ),
    ),
  );
}

function restore(isBroken: IsBroken): Encoding {
  const happens = isBroken("NoRestore") ? nothing : either(rename(n), when(not(takePossible(n))));
  const happened = isBroken("NoRestore") ? nothing : either(rename(n), nothing);
  return ofTask(
    isAt(t, "restore"),
    both(withHome(mine), either(happens, both(fails("restore"), happened)), effect(goto(t, "lost"))),
  );
}

function dropName(isBroken: IsBroken): Encoding {
  const happens = effect(...(isBroken("DropByPath") ? noLock : [drop("lock", n)]));
  return ofTask(
    isAt(t, "drop"),
    both(
      withHome(mine),
      either(
        both(happens, effect(gotoIf(t, apply("lock", n), "dropped", "dropMissed"))),
        both(
          fails("drop"),
          either(happens, nothing),
          laterOrNot("unlinkLock", n),
          effect(goto(t, "dropFailed")),
        ),
      ),
    ),
  );
}

function released(isBroken: IsBroken): Encoding {
  const forgets = isBroken("ForgetFailedRelease");
  const left = isBroken("MissedOwesNothing") ? [] : [owe(mine, n, firstCall(isBroken))];
  const roomLeft = isBroken("MissedOwesNothing") ? apply("room", mine) : apply("roomWith", mine, n);
  const promotes = (start: Start): Piece[] =>
    either(
      both(when(apply("aside", mine)), passSlot(startAt("waiting"))),
      both(when(not(apply("aside", mine))), passSlot(start)),
    );
  const passes = (start: Start): Piece[] => {
    const toNext = isBroken("ReleasedNeverPromotes") ? toNobody : promotes(start);
    return both(effect(...endRelease(mine)), toNext);
  };
  const stays = isBroken("PromoteWhileOwed")
    ? promotes(startBare(apply("roomWith", mine, n)))
    : effect(goto(t, "idle"));
  return ofTask(
    myTurn,
    both(
      withHome(mine),
      effect(drop("gaveUp", t), ...(isBroken("HoldWhileReleasing") ? [drop("heldLocks", mine, t)] : [])),
      either(
        both(when(isAt(t, "released")), passes(start1(mine, apply("room", mine)))),
        both(when(isAt(t, "dropMissed", "lost"), clear("home", mine), ...left), passes(startBare(roomLeft))),
        both(
          when(isAt(t, "dropped", ...(forgets ? (["dropFailed"] as const) : [])), clear("home", mine)),
          passes(startBare(apply("room", mine))),
        ),
        forgets
          ? []
          : both(when(isAt(t, "dropFailed"), clear("home", mine), owe(mine, n, firstCall(isBroken))), stays),
      ),
    ),
  );
}

function retry(isBroken: IsBroken): Encoding {
  const inHome = and(apply("homes", n), apply("homeHas", n, n));
  const paying = (step: DebtStep, paid: Change): Piece[] => {
    const happens = retryHappens(n, step, isBroken);
    return both(
      when(owesAt(p, n, step)),
      either(
        both(happens, effect(paid)),
        both(
          fails("retry"),
          either(happens, nothing),
          laterOrNot(step, n),
          effect(owe(p, n, step === "rmdirHome" ? "paid" : step)),
        ),
      ),
    );
  };
  const lockFirst = isBroken("OweLockFirst");
  const homeIsAll = lockFirst || isBroken("PayAfterOne");
  const next = (found: Expr, yes: DebtStep, no: DebtStep): Change =>
    put("owes", [p, n], choose(found, value("Debt", yes), value("Debt", no)));
  return {
    params: [p, n],
    pieces: both(
      when(apply("alive", p)),
      either(
        paying("unlinkHome", next(inHome, "rmdirHome", homeIsAll ? "rmdirHome" : "unlinkLock")),
        paying("unlinkLock", next(apply("lock", n), "rmdirHome", lockFirst ? "unlinkHome" : "rmdirHome")),
        paying("rmdirHome", owe(p, n, "paid")),
      ),
    ),
  };
}

function retried(isBroken: IsBroken): Encoding {
  const promotes = either(
    both(when(apply("aside", p)), promote(p, startAt("waiting"))),
    both(when(not(apply("aside", p))), promote(p, start1(p, apply("roomWithout", p, n)))),
  );
  const ends = isBroken("RetriedForgetsRelease") ? [] : endRelease(p);
  const goesOn = isBroken("RetriedForgetsRelease") || isBroken("RetriedNeverPromotes") ? nothing : promotes;
  return {
    params: [p, n],
    pieces: both(
      when(and(apply("alive", p), owesAt(p, n, "paid"), threadFree(p)), owe(p, n, "none")),
      either(when(not(apply("releasing", p, n))), both(when(apply("releasing", p, n), ...ends), goesOn)),
    ),
  };
}

/** What p has sent, or is about to send, at this moment. */
function sent(op: Expr, name: Expr, isBroken: IsBroken): Expr {
  const isOp = (text: LateOp): Expr => equal(op, value("Op", text));
  const byHome = (pc: Pc): Expr =>
    and(apply("home", p, name), exists([u], and(equal(apply("procOf", u), p), isAt(u, pc))));
  const evicts = exists([u], and(equal(apply("procOf", u), p), isAt(u, "evict"), apply("seen", u, name)));
  const debts = (["unlinkHome", "unlinkLock", "rmdirHome"] as const).map((step) =>
    and(isOp(step), owesAt(p, name, step)),
  );
  const outlives = or(
    and(isOp("take"), byHome("take")),
    and(isOp("clear"), byHome("clear")),
    and(isOp("unlinkLock"), or(byHome("drop"), evicts)),
    ...debts,
  );
  const latePutBack = isBroken("LatePutBack") ? and(isOp("putBack"), byHome("putBack")) : truth(false);
  return or(and(not(apply("local")), outlives), latePutBack);
}

function crash(isBroken: IsBroken): Encoding {
  const isMine = (task: Expr): Expr => equal(apply("procOf", task), p);
  const ofMine = (symbol: StateSymbol, gone: Expr): Change => ({
    symbol,
    define: ([task = t], old) => choose(isMine(task), gone, old),
  });
  const registry = (["heldLocks", "releasing", "contender", "queue", "home"] as const).map((symbol) =>
    clear(symbol, p),
  );
  return {
    params: [p],
    pieces: both(
      when(apply("alive", p)),
      spend("crashes"),
      effect(
        drop("alive", p),
        { symbol: "late", define: ([op = t, name = n], old) => or(old, sent(op, name, isBroken)) },
        ...registry,
        drop("aside", p),
        { symbol: "ahead", define: ([q = p], old) => and(old, not(equal(q, p))) },
        { symbol: "owes", define: ([q = p], old) => choose(equal(q, p), value("Debt", "none"), old) },
        ofMine("gaveUp", truth(false)),
        ofMine("sawDirectory", truth(false)),
        ofMine("seen", truth(false)),
        ofMine("pc", value("Pc", "idle")),
      ),
    ),
  };
}

function start(isBroken: IsBroken): Encoding {
  const next = variable("next", "Count");
  const counts = some(next, apply("follows", apply("inc", p), next), put("inc", [p], next));
  return {
    params: [p],
    pieces: both(
      when(not(apply("alive", p)), add("alive", p)),
      isBroken("KeepIncarnation") ? nothing : counts,
    ),
  };
}

/** The parameter of LateEffect: which call it is. */
export const lateOp: Var = variable("c", "Op");

function lateEffect(isBroken: IsBroken): Encoding {
  const taking = (op: LateOp, pieces: readonly Piece[]): Piece[] => {
    const called = value("Op", op);
    return both(when(and(equal(lateOp, called), apply("late", called, n)), drop("late", called, n)), pieces);
  };
  return {
    params: [lateOp, n],
    pieces: either(
      taking("take", either(rename(n), when(not(takePossible(n))))),
      taking(
        "putBack",
        either(when(putBackPossible(n), ...putBackHappens(n)), when(not(putBackPossible(n)))),
      ),
      taking("unlinkHome", retryHappens(n, "unlinkHome", isBroken)),
      taking("unlinkLock", retryHappens(n, "unlinkLock", isBroken)),
      taking("rmdirHome", retryHappens(n, "rmdirHome", isBroken)),
      taking("clear", effect(clears)),
    ),
  };
}

function vandal(): Encoding {
  return {
    params: [n],
    pieces: both(
      when(apply("homes", n), clear("homeHas", n)),
      spend("vandals"),
      either(when(not(isEmpty(n))), effect(drop("homes", n))),
    ),
  };
}

const ENCODINGS: Readonly<Record<ProvedAction, (isBroken: IsBroken) => Encoding>> = {
  Request: request,
  Prepare: prepare,
  Take: take,
  Verify: verify,
  Granted: granted,
  Refused: refused,
  Look: look,
  Judge: judge,
  Evict: evict,
  Clear: clearLock,
  Wake: wake,
  GiveUp: giveUp,
  Release: release,
  Check: check,
  PutBack: putBack,
  Confirm: confirm,
  Restore: restore,
  Drop: dropName,
  Released: released,
  Retry: retry,
  Retried: retried,
  Crash: crash,
  Start: start,
  LateEffect: lateEffect,
  Vandal: vandal,
};

export const PROVED_ACTIONS: readonly ProvedAction[] = ACTIONS.filter(
  (name): name is ProvedAction => name in ENCODINGS,
);

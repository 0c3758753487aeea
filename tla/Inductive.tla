----------------------------- MODULE Inductive -----------------------------
(***************************************************************************)
(* Why OwnerDirectory is safe for any number of processes: an invariant    *)
(* that every single step keeps, whatever happened before.                 *)
(*                                                                         *)
(* Question asked: is there an argument that needs no history and no       *)
(* bound?  Its conjuncts have the names and the order of                   *)
(* tla/prove/invariant.ts, where Z3 proves them for any number of          *)
(* processes, tasks, incarnations, names and crashes (npm run prove), and  *)
(* of spec/guarantees.md, "Why it holds for any number".                   *)
(*                                                                         *)
(* TLC checks that Inv holds in every reachable state (Inv*.cfg), and that *)
(* it is inductive at small bounds: one step from every state that         *)
(* satisfies it, reachable or not (Inductive*.cfg).                        *)
(***************************************************************************)
EXTENDS MCOwnerDirectory

ReleasingNames(p) == IF releasing[p] = None THEN {} ELSE {releasing[p].name}
HomeNames(p) == {home[p]} \ {None}
Busy(p) == contender[p] # None \/ heldLocks[p] # {} \/ releasing[p] # None
AtSome(p, pcs) == {t \in TasksOf(p) : pc[t] \in pcs}

\* Where a contender is while its name, on a local disk, is certainly not at L.
NotTaken == {"prepare", "take", "refused", "look", "looked", "evict", "clear", "waiting"}

\* The way out in one turn, which only a local disk has.
PutBackWay == OnTheWayOut \cap MidTurn

-----------------------------------------------------------------------------
(* The disk *)

OneNameAtL == \A n, m \in NamesAt(lock) : n = m

HomesHoldTheirName == \A n \in DOMAIN homes : homes[n] \subseteq {n}

NeverAtBoth == \A n \in NamesAt(lock) : n \notin DOMAIN homes

\* A process that starts gets an incarnation that no name is of.
NoNameOfTheFuture ==
  \A n \in NamesAt(lock) \cup DOMAIN homes \cup {c.name : c \in late}
           \cup UNION {NamesAt(seen[t]) : t \in Tasks} :
    n[2] <= inc[Owner(n)]

-----------------------------------------------------------------------------
(* The registry of a process *)

TheDeadAreIdle == \A t \in Tasks : pc[t] # "idle" => ProcOf[t] \in alive

RegistryOfTheLiving ==
  \A p \in Procs : \A n \in HomeNames(p) \cup ReleasingNames(p) \cup DOMAIN owes[p] : Owner(n) = p /\ Lives(n)

OneHomeOneRelease == \A p \in Procs : home[p] # None => ReleasingNames(p) \subseteq {home[p]}

\* NoGhostHolder of OwnerDirectory

HoldersShare ==
  \A p \in Procs : \A t, u \in heldLocks[p] : t # u => t \in ReentrantTasks

ContenderContends ==
  \A p \in Procs : AtSome(p, Contending) = {contender[p]} \ {None}

ContendHoldOrRelease ==
  \A p \in Procs :
    /\ contender[p] # None => heldLocks[p] = {} /\ releasing[p] = None
    /\ heldLocks[p] # {} => releasing[p] = None

QueuedWait == \A p \in Procs : Range(queue[p]) = AtSome(p, {"queued"})

\* NoIdleQueue of OwnerDirectory

OneOnTheWayOut ==
  \A p \in Procs :
    /\ AtSome(p, OnTheWayOut) # {} => home[p] # None /\ ReleasingNames(p) = {home[p]}
    /\ Cardinality(AtSome(p, OnTheWayOut)) <= 1
    /\ AtSome(p, PutBackWay) # {} => Local

ContenderHasHome ==
  \A p \in Procs :
    /\ AtSome(p, InFlight \cup {"verify", "verified", "unverified", "evict", "clear", "holding"}) # {} => home[p] # None
    /\ AtSome(p, {"prepare"}) # {} => home[p] = None

\* Where nobody is who gave up: a promise that was rejected gets no lock, and no new call.
NotGivenUp == {"idle", "queued", "prepare", "evict", "clear", "waiting", "holding"}
WhoGaveUpHoldsNothing == \A t \in gaveUp : pc[t] \notin NotGivenUp

SeenIsBeingJudged ==
  \A t \in Tasks :
    /\ seen[t] # Absent => pc[t] \in {"looked", "lookedDoubt", "evict"}
    /\ pc[t] = "evict" => NamesAt(seen[t]) # {}

ClearsWhereNeeded ==
  RenameReplacesEmpty => (\A t \in Tasks : pc[t] # "clear") /\ \A c \in late : c.op # "clear"

-----------------------------------------------------------------------------
(* What is known of the disk *)

HeldNameIsAtL ==
  \A p \in Procs : AtSome(p, {"verified", "holding", "putBack"}) # {} => home[p] \in NamesAt(lock)

LeftIsLeft ==
  \A p \in Procs :
    /\ AtSome(p, {"dropped"}) # {} =>
         home[p] \notin NamesAt(lock) /\ (home[p] \in DOMAIN homes => homes[home[p]] = {})
    /\ AtSome(p, {"released"}) # {} => home[p] \notin NamesAt(lock)

NotTakenYet ==
  Local => \A p \in Procs : AtSome(p, NotTaken) # {} => home[p] \notin NamesAt(lock)

EvictsOnlyTheDead == \A t \in Tasks : pc[t] = "evict" => \A n \in NamesAt(seen[t]) : ~Lives(n)

-----------------------------------------------------------------------------
(* What is still to come *)

LateOnlyIfNotLocal == \A c \in late : ~Local /\ c.op # "putBack"

LateUnlinkIsNobodys ==
  \A c \in late : \A p \in Procs : c.op \notin {"take", "clear"} /\ home[p] = c.name => ReleasingNames(p) = {c.name}

HomeIsNotOwed == \A p \in Procs : home[p] \notin DOMAIN owes[p]

DebtsGoForward ==
  \A p \in Procs : \A n \in DOMAIN owes[p] :
    /\ owes[p][n] # "unlinkHome" => (n \in DOMAIN homes => homes[n] = {})
    /\ owes[p][n] \in {"rmdirHome", "paid"} => n \notin NamesAt(lock)

NothingUntracked ==
  \A n \in NamesAt(lock) \cup {m \in DOMAIN homes : homes[m] # {}} :
    Lives(n) => n \in HomeNames(Owner(n)) \cup ReleasingNames(Owner(n)) \cup DOMAIN owes[Owner(n)]

IdleHomeIsHarmless ==
  \A p \in Procs : home[p] # None /\ (~Local \/ home[p] \in NamesAt(lock)) => Busy(p)

-----------------------------------------------------------------------------
Inv ==
  /\ TypeOK
  /\ OneNameAtL
  /\ HomesHoldTheirName
  /\ NeverAtBoth
  /\ NoNameOfTheFuture
  /\ TheDeadAreIdle
  /\ RegistryOfTheLiving
  /\ OneHomeOneRelease
  /\ NoGhostHolder
  /\ HoldersShare
  /\ ContenderContends
  /\ ContendHoldOrRelease
  /\ QueuedWait
  /\ NoIdleQueue
  /\ OneOnTheWayOut
  /\ ContenderHasHome
  /\ WhoGaveUpHoldsNothing
  /\ SeenIsBeingJudged
  /\ ClearsWhereNeeded
  /\ HeldNameIsAtL
  /\ LeftIsLeft
  /\ NotTakenYet
  /\ EvictsOnlyTheDead
  /\ LateOnlyIfNotLocal
  /\ LateUnlinkIsNobodys
  /\ HomeIsNotOwed
  /\ DebtsGoForward
  /\ NothingUntracked
  /\ IdleHomeIsHarmless

THEOREM Spec => []Inv

-----------------------------------------------------------------------------
(* All states that satisfy Inv, in an order in which TLC can list them: what Inv determines is not guessed. *)
(* Budgets are full: with less there are fewer steps, and Inv says nothing of them.                         *)

Orders(S) == {q \in [1 .. Cardinality(S) -> S] : Range(q) = S}
NamesOf(p) == {n \in Names : Owner(n) = p /\ Lives(n)}
DebtsOf(N) == UNION {[D -> {"unlinkHome", "unlinkLock", "rmdirHome", "paid"}] : D \in SUBSET N}
LateOps == {"take", "unlinkHome", "unlinkLock", "rmdirHome"} \cup (IF RenameReplacesEmpty THEN {} ELSE {"clear"})
Calls == IF Local THEN {} ELSE [op : LateOps, name : Names]

InvStates ==
  /\ alive \in SUBSET Procs
  /\ inc \in [Procs -> 1 .. MaxCrashes + 1]
  /\ suspects = {} /\ revoked = {} /\ guest = [g \in Guests |-> None]
  /\ pc \in [Tasks -> PCs \ (IF RenameReplacesEmpty THEN {"clear"} ELSE {})]
  /\ TheDeadAreIdle
  /\ \A p \in Procs : Cardinality(AtSome(p, Contending)) <= 1 /\ Cardinality(AtSome(p, OnTheWayOut)) <= 1
  /\ contender = [p \in Procs |-> IF AtSome(p, Contending) = {} THEN None
                                   ELSE CHOOSE t \in AtSome(p, Contending) : TRUE]
  /\ heldLocks = [p \in Procs |-> AtSome(p, {"holding"})]
  /\ HoldersShare
  /\ queue \in {q \in [Procs -> UNION {Orders(S) : S \in SUBSET Tasks}] :
                 \A p \in Procs : Range(q[p]) = AtSome(p, {"queued"})}
  /\ home \in [Procs -> Names \cup {None}]
  /\ \A p \in Procs : HomeNames(p) \subseteq NamesOf(p)
  /\ ContenderHasHome
  /\ releasing \in [Procs -> {None} \cup [name : Names, aside : BOOLEAN]]
  /\ \A p \in Procs : ReleasingNames(p) \subseteq NamesOf(p)
  /\ OneHomeOneRelease /\ ContendHoldOrRelease /\ NoIdleQueue /\ OneOnTheWayOut
  /\ lock \in {Absent, {}} \cup {{n} : n \in Names}
  /\ HeldNameIsAtL /\ NotTakenYet
  /\ owes \in [Procs -> DebtsOf(Names)]
  /\ RegistryOfTheLiving /\ HomeIsNotOwed
  /\ homes \in UNION {[D -> {{}} \cup {{n} : n \in D}] : D \in SUBSET (Names \ NamesAt(lock))}
  /\ HomesHoldTheirName /\ LeftIsLeft /\ DebtsGoForward /\ NothingUntracked /\ IdleHomeIsHarmless
  /\ late \in SUBSET Calls
  /\ LateUnlinkIsNobodys
  /\ gaveUp \in SUBSET {t \in Tasks : pc[t] \notin NotGivenUp}
  /\ seen \in [Tasks -> Dirs]
  /\ SeenIsBeingJudged /\ EvictsOnlyTheDead
  /\ budget = [crash |-> MaxCrashes, fault |-> MaxFaults, vandal |-> MaxVandals, request |-> MaxRequests,
               suspicion |-> MaxSuspicions, break |-> MaxBreaks, removal |-> MaxRemovals]
  /\ NoNameOfTheFuture
  /\ Inv

\* From any of them.  A process whose incarnations are used up does not start again; whoever cannot go on
\* because of such a bound stays.
InductiveNext == (Next /\ \A p \in Procs : inc'[p] <= MaxCrashes + 1) \/ UNCHANGED vars
InductiveSpec == InvStates /\ [][InductiveNext]_vars

\* One step: what follows from a state that satisfies Inv is among the first states again.
OneStep == TLCGet("level") <= 1
=============================================================================

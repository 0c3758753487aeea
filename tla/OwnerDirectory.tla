--------------------------- MODULE OwnerDirectory ---------------------------
(***************************************************************************)
(* How the lock works: an owner directory, renamed in and renamed back.    *)
(*                                                                         *)
(* Question asked: with HELD_LOCKS, RELEASING and the on-disk lock as they *)
(* are, and every system call an action of its own, is there an order of   *)
(* calls, turns, crashes, faults and late effects in which two tasks hold  *)
(* the lock, or a lock is lost for ever?                                   *)
(*                                                                         *)
(* Read spec/protocol.md first; its sections carry the names of the        *)
(* actions below.  model/ and src/ have the same actions, in this order.   *)
(*                                                                         *)
(* Granularity: one action does at most one system call.  An asynchronous  *)
(* call is two actions: its effect on the disk, and the turn of the event  *)
(* loop that receives its result.  Several synchronous calls of one turn   *)
(* are one action each; between them other processes run, other tasks of   *)
(* the same process do not (ThreadFree).  Two are merged: Prepare makes a  *)
(* directory and a file, where nobody else looks; a readdir opens and then *)
(* reads (spec/protocol.md, "What the specification leaves out").          *)
(*                                                                         *)
(* Properties: see the end.  How to run: npm run tlc (tla/models.json).    *)
(* Every guard can be removed by naming it in Broken; each such            *)
(* configuration must fail, with the line that models.json says, or shows  *)
(* that here nothing is violated without it (Spare...).  What else         *)
(* notices: spec/kill-matrix.md.                                           *)
(*                                                                         *)
(* Not modelled, with the reason in spec/protocol.md, "What the            *)
(* specification leaves out": time (a wait may end at any moment), the     *)
(* lease and its beats, foreign things at the lock path, the sweep of dead *)
(* homes, known junk.                                                      *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, TLC

CONSTANTS
  Procs,          \* processes, by pid
  Tasks,          \* the tasks that use the lock
  ProcOf,         \* ProcOf[t]: the process that runs task t
  PidOf,          \* PidOf[p]: what p calls itself; worker threads with a registry each share one
  ReentrantTasks, \* the tasks that ask to share the lock with tasks of their own process
  PatientTasks,   \* the tasks that never give up
  Local,          \* TRUE: a disk known to be local, release by PutBack, no late effects; FALSE: Drop
  Faults,         \* the kinds of calls that may fail: see Fails; "beat": a holder may miss one
  MaxDebts,       \* a process makes no new home while it owes this many names for this lock path
  NamesPerLife,   \* how many names an incarnation has in use at a time; FreshNamesSuffice shows: enough
  MaxCrashes,     \* crashes, failing calls and acts of vandalism are finite: an assumption of liveness,
  MaxFaults,      \*   and the bound of safety; the MC modules say what the numbers hide
  MaxVandals,
  MaxRequests,    \* 0: tasks ask again and again, uncounted; else so many requests in all
  Broken,         \* the guards that are removed; {} is the protocol
  None, Absent    \* model values: nobody, nothing

\* GuestOf[p]: the guest of p, a process of its own that works under p's lock and owns it with p.  Nobody has
\* one, unless a configuration says so (GuestOf <- ...).  Whose process has a guest asks alone.
GuestOf == << >>

ASSUME \A p \in DOMAIN GuestOf : \E t \in Tasks : {u \in Tasks : ProcOf[u] = p} = {t}

VARIABLES
  lock,       \* the lock path L: Absent, or the set of names in the directory that stands there
  homes,      \* the private directories that exist: name -> the set of names in it
  late,       \* calls that were sent, and may still take effect, once: [op, name]
  alive,      \* the processes that are running
  inc,        \* inc[p]: the number of the present, or last, incarnation of p
  suspects,   \* names of living owners that somebody took for dead, or took away from L; the others are innocent
  revoked,    \* tasks whose handle the watchdog took away, and that have not released it yet
  guest,      \* guest[g]: None, or [inc, at]: the incarnation it was started by; held back, or let go
  heldLocks,  \* HELD_LOCKS of p: the tasks that hold the lock
  releasing,  \* RELEASING of p: None, or the release in flight or owed: [name, aside]
  contender,  \* the one task of p that is on the disk, or None
  queue,      \* the other tasks of p that wait, first come first
  home,       \* the name of the home that p holds by, contends with, or keeps for next time; or None
  owes,       \* names that p must still take off the disk: name -> the call that comes next
  gaveUp,     \* contenders whose promise is rejected already, but whose call is still under way
  seen,       \* seen[t]: what t's Look saw, until it is judged and evicted
  pc,         \* pc[t]: where t is
  budget      \* what the environment, and the tasks, may still do

procVars == <<alive, inc, suspects, revoked, guest>>
registry == <<heldLocks, releasing, contender, queue, home, owes>>
vars == <<lock, homes, late, procVars, heldLocks, releasing, contender, queue, home, owes, gaveUp,
          seen, pc, budget>>

-----------------------------------------------------------------------------
(* What a configuration does not override is as here: a platform like POSIX, a watchdog that only tells, and *)
(* an environment that keeps the assumptions (spec/assumptions.md).                                          *)

RenameReplacesEmpty == TRUE \* FALSE: rename refuses an empty directory too (Windows); then there is Clear
Merges == FALSE             \* TRUE: rename into a directory that is not empty merges the two (A3 broken)
Revokes == FALSE            \* TRUE: the watchdog takes a lock away that is held for too long
MaxSuspicions == 0          \* how often somebody takes a living owner for dead (A1 broken)
MaxBreaks == 0              \* how often an operator breaks a lock whose owner may live
MaxRemovals == 0            \* how often somebody removes what stands at L (A2 broken)

-----------------------------------------------------------------------------
(* Names.  <<p, i, k>> is the k-th name of incarnation i of p.  In reality each name is used once in *)
(* the world.  Here a name comes back when nothing refers to it any more: the same, up to renaming,  *)
(* and it keeps the state space finite without a bound on how often a task asks.                     *)

Guests == {GuestOf[p] : p \in DOMAIN GuestOf}
HasGuest(p) == p \in DOMAIN GuestOf

NameOf(o, i, k) == <<o, i, k>>
Names == {NameOf(o, i, k) : o \in Procs \cup Guests, i \in 1 .. MaxCrashes + 1, k \in 1 .. NamesPerLife}
Owner(n) == n[1]
Lives(n) ==
  IF n[1] \in Guests
  THEN guest[n[1]] # None /\ guest[n[1]].inc = n[2]
  ELSE n[1] \in alive /\ inc[n[1]] = n[2]

\* A home is called by its process's own name.  Beside that lies the guest's, with the same numbers.  (A holder
\* without a home is one that a removed guard has made.)
GuestNames(h) ==
  IF h # None /\ HasGuest(Owner(h)) /\ "GuestNotInHome" \notin Broken
  THEN {NameOf(GuestOf[Owner(h)], h[2], h[3])} ELSE {}
NamesIn(h) == {h} \cup GuestNames(h)
HomeOf(n) ==
  IF Owner(n) \in Guests THEN NameOf(CHOOSE p \in DOMAIN GuestOf : GuestOf[p] = Owner(n), n[2], n[3]) ELSE n

NamesAt(dir) == IF dir = Absent THEN {} ELSE dir

Referenced ==
  NamesAt(lock) \cup DOMAIN homes \cup UNION {homes[n] : n \in DOMAIN homes}
    \cup {c.name : c \in late}
    \cup {home[p] : p \in Procs}
    \cup {releasing[p].name : p \in {q \in Procs : releasing[q] # None}}
    \cup UNION {DOMAIN owes[p] : p \in Procs}
    \cup UNION {NamesAt(seen[t]) : t \in Tasks}
    \cup suspects

\* Broken: a name is free again as soon as no directory shows it.
InUse == IF "ReuseName" \in Broken THEN NamesAt(lock) \cup DOMAIN homes ELSE Referenced

FreshOrdinals(p) == {k \in 1 .. NamesPerLife : NamesIn(NameOf(p, inc[p], k)) \cap InUse = {}}
Fresh(p) == NameOf(p, inc[p], CHOOSE k \in FreshOrdinals(p) : \A j \in FreshOrdinals(p) : k <= j)

\* All the home's path does not need: rename wants it to exist, and L to be absent or empty.
Free(dir) == NamesAt(dir) = {}
Replaceable(dir) == IF RenameReplacesEmpty THEN Free(dir) ELSE dir = Absent
Without(f, n) == [m \in DOMAIN f \ {n} |-> f[m]]
Emptied(f, n) == [f EXCEPT ![HomeOf(n)] = @ \ {n}]

-----------------------------------------------------------------------------
(* Where a task can be.  "sent" means that an asynchronous call is under way and has not taken effect. *)

TasksOf(p) == {t \in Tasks : ProcOf[t] = p}

InFlight == {"take", "taken", "refused", "failed", "look", "looked", "lookDoubt", "lookedDoubt"}

\* Between two synchronous calls of one turn: no other task of this process can run.
MidTurn == {"prepare", "verify", "verified", "unverified", "evict", "clear", "check", "putBack", "confirm",
            "restore", "released", "lost"}

Contending == InFlight \cup {"prepare", "verify", "verified", "unverified", "evict", "clear", "waiting"}
OnTheWayOut == {"check", "putBack", "confirm", "restore", "released", "lost", "drop", "dropped",
                "dropMissed", "dropFailed"}
PCs == {"idle", "queued", "holding"} \cup Contending \cup OnTheWayOut

ThreadFree(p) == \A t \in TasksOf(p) : pc[t] \notin MidTurn

\* A step of t that starts a turn, or goes on with its own.
MyTurn(t) == \A u \in TasksOf(ProcOf[t]) \ {t} : pc[u] \notin MidTurn

Fails(kind) == kind \in Faults /\ budget.fault > 0
SpendFault == budget' = [budget EXCEPT !.fault = @ - 1]

\* A call that reported failure may take effect later, except where a call ends with its process (A4).
Later == IF Local THEN {FALSE} ELSE BOOLEAN
Pending(op, n, later) == IF later THEN {[op |-> op, name |-> n]} ELSE {}

-----------------------------------------------------------------------------
Init ==
  /\ lock = Absent
  /\ homes = << >>
  /\ late = {}
  /\ alive = Procs
  /\ inc = [p \in Procs |-> 1]
  /\ suspects = {}
  /\ revoked = {}
  /\ guest = [g \in Guests |-> None]
  /\ heldLocks = [p \in Procs |-> {}]
  /\ releasing = [p \in Procs |-> None]
  /\ contender = [p \in Procs |-> None]
  /\ queue = [p \in Procs |-> << >>]
  /\ home = [p \in Procs |-> None]
  /\ owes = [p \in Procs |-> << >>]
  /\ gaveUp = {}
  /\ seen = [t \in Tasks |-> Absent]
  /\ pc = [t \in Tasks |-> "idle"]
  /\ budget = [crash |-> MaxCrashes, fault |-> MaxFaults, vandal |-> MaxVandals,
               request |-> MaxRequests, suspicion |-> MaxSuspicions, break |-> MaxBreaks,
               removal |-> MaxRemovals]

-----------------------------------------------------------------------------
(* Pieces of actions.  Each says which variables it sets. *)

Range(q) == {q[i] : i \in 1 .. Len(q)}

\* Where a contender starts: with a home at hand its Take is sent in the same turn.  Without one it makes
\* one, unless the disk owes us too much already: then it waits, so that debts are bounded.
Start1(h, debts) ==
  IF h # None THEN "take"
  ELSE IF Cardinality(DOMAIN debts) < MaxDebts \/ "NoMaxDebts" \in Broken THEN "prepare"
  ELSE "waiting"

\* t leaves the slot; the head of the queue becomes the contender, in the same turn, and starts at first.
\* Sets contender, queue, pc.
PassSlotUnless(alone, p, t, first) ==
  IF queue[p] = << >> \/ alone
  THEN /\ contender' = [contender EXCEPT ![p] = None]
       /\ pc' = [pc EXCEPT ![t] = "idle"]
       /\ UNCHANGED queue
  ELSE /\ contender' = [contender EXCEPT ![p] = Head(queue[p])]
       /\ queue' = [queue EXCEPT ![p] = Tail(@)]
       /\ pc' = [pc EXCEPT ![t] = "idle", ![Head(queue[p])] = first]
PassSlot(p, t, first) == PassSlotUnless(FALSE, p, t, first)

\* Who holds when u is granted the lock: u, and everybody who waits here too, if all are reentrant.
GrantedWith(p, u) ==
  {u} \cup (IF u \in ReentrantTasks \/ "ShareWithExclusive" \in Broken
            THEN Range(queue[p]) \cap ReentrantTasks ELSE {})

\* The lock goes to the group T; t (not in T, or T's first) has it no more.  Sets heldLocks, queue, pc.
GiveTo(p, t, T) ==
  /\ heldLocks' = [heldLocks EXCEPT ![p] = T]
  /\ queue' = [queue EXCEPT ![p] = SelectSeq(@, LAMBDA u : u \notin T)]
  /\ pc' = [u \in Tasks |-> IF u \in T THEN "holding" ELSE IF u = t THEN "idle" ELSE pc[u]]

\* rename(home, L): whether the disk does it, and what it does.
Renames(n) == n \in DOMAIN homes /\ (Replaceable(lock) \/ Merges)
RenamedIn(n) == lock' = NamesAt(lock) \cup homes[n] /\ homes' = Without(homes, n)

\* rename(L, home)
RenamesBack(n) == lock # Absent /\ (n \in DOMAIN homes => RenameReplacesEmpty /\ homes[n] = {})
RenamedBack(n) == homes' = (n :> lock) @@ homes /\ lock' = Absent

\* The way off the disk: a holder on a local disk looks and puts back, in this turn; else a Drop is sent.  One that
\* missed a beat, which is a failure of kind "beat", sends a Drop too (spec/lease.md).  A lock with a guest's name
\* in it is always dropped, name by name: the guest's is owed.  Sets pc, budget, owes.
PutsBack(p) == Local /\ ~HasGuest(p)
LeavesDisk(t) ==
  LET p == ProcOf[t] IN
  /\ owes' = [owes EXCEPT ![p] = [n \in GuestNames(home[p]) |-> "unlinkLock"] @@ @]
  /\ \/ /\ pc' = [pc EXCEPT ![t] = IF PutsBack(p) THEN "check" ELSE "drop"]
        /\ UNCHANGED budget
     \/ /\ PutsBack(p) /\ Fails("beat") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = "drop"]

\* What is owed is looked for at home first: a late Take may still bring it to L, and nothing brings it back.
FirstCall == IF "OweLockFirst" \in Broken THEN "unlinkLock" ELSE "unlinkHome"

\* The names of the home h must leave the disk: what p owes then.
OwesHome(p, h) == [n \in NamesIn(h) |-> FirstCall] @@ owes[p]

\* t's home is of no more use: it is owed that its names leave the disk.  Sets home, owes.
GiveUpHome(p) ==
  /\ home' = [home EXCEPT ![p] = None]
  /\ owes' = IF "ForgetGivenUpHome" \in Broken THEN owes
             ELSE [owes EXCEPT ![p] = OwesHome(p, home[p])]

\* Nobody of p contends any more.  On a disk where a Take that was answered may run once more, its home
\* must not lie idle: the name could come to L when nobody thinks of it.  Nor where a guest is named in it,
\* who is another one next time.  Sets home, owes.
LeaveHome(p) ==
  IF (~Local \/ HasGuest(p)) /\ queue[p] = << >> /\ home[p] # None /\ "KeepIdleHome" \notin Broken
  THEN GiveUpHome(p)
  ELSE UNCHANGED <<home, owes>>

-----------------------------------------------------------------------------
(* The actions *)

\* A guest is started before its process asks, and held back; the former one has ended.  (The last conjunct
\* keeps names finite: nothing refers to the former guest of this incarnation.)  Sets guest.
StartGuest(p) ==
  IF HasGuest(p)
  THEN LET g == GuestOf[p] IN
       /\ guest[g] = None
       /\ \A n \in Referenced \ {None} : Owner(n) = g => n[2] # inc[p]
       /\ guest' = [guest EXCEPT ![g] = [inc |-> inc[p], at |-> "heldBack"]]
  ELSE UNCHANGED guest

\* A task asks: it joins the holders, becomes the contender, or queues.  A join is never refused, not even
\* when an exclusive task waits: a nested request would wait for a waiter that waits for it.  The price is
\* that holders that join again and again keep everybody else out.
Request(t) ==
  LET p == ProcOf[t]
      joins == \/ /\ heldLocks[p] # {}
                  /\ (heldLocks[p] \cup {t}) \subseteq ReentrantTasks
               \/ "JoinExclusive" \in Broken /\ heldLocks[p] # {} /\ t \in ReentrantTasks
               \/ "JoinWhileReleasing" \in Broken /\ releasing[p] # None /\ t \in ReentrantTasks
      adopts == /\ "HoldDroppedName" \in Broken
                /\ releasing[p] # None /\ releasing[p].name \in DOMAIN owes[p]
      contends == /\ heldLocks[p] = {} /\ contender[p] = None /\ queue[p] = << >>
                  /\ releasing[p] = None \/ "ContendWhileReleasing" \in Broken
  IN
  /\ p \in alive /\ pc[t] = "idle" /\ t \notin revoked /\ ThreadFree(p)
  /\ MaxRequests > 0 => budget.request > 0
  /\ StartGuest(p)
  /\ budget' = IF MaxRequests > 0 THEN [budget EXCEPT !.request = @ - 1] ELSE budget
  /\ CASE joins ->
            /\ heldLocks' = [heldLocks EXCEPT ![p] = @ \cup {t}]
            /\ pc' = [pc EXCEPT ![t] = "holding"]
            /\ UNCHANGED <<contender, queue, releasing, home, owes>>
       [] adopts ->  \* broken: a name is held again although a Drop of it may be under way
            /\ heldLocks' = [heldLocks EXCEPT ![p] = {t}]
            /\ home' = [home EXCEPT ![p] = releasing[p].name]
            /\ owes' = [owes EXCEPT ![p] = Without(@, releasing[p].name)]
            /\ releasing' = [releasing EXCEPT ![p] = None]
            /\ pc' = [pc EXCEPT ![t] = "holding"]
            /\ UNCHANGED <<contender, queue>>
       [] contends /\ ~joins /\ ~adopts ->
            /\ contender' = [contender EXCEPT ![p] = t]
            /\ pc' = [pc EXCEPT ![t] = Start1(home[p], owes[p])]
            /\ UNCHANGED <<heldLocks, queue, releasing, home, owes>>
       [] OTHER ->
            /\ queue' = [queue EXCEPT ![p] = IF "LifoQueue" \in Broken THEN <<t>> \o @ ELSE Append(@, t)]
            /\ pc' = [pc EXCEPT ![t] = "queued"]
            /\ UNCHANGED <<heldLocks, contender, releasing, home, owes>>
  /\ UNCHANGED <<lock, homes, late, alive, inc, suspects, revoked, gaveUp, seen>>

\* mkdir(home), create home/own (and home/guest); then the Take is sent.  When it fails, whatever was made is owed, and
\* the request ends with the error.
Prepare(t) ==
  LET p == ProcOf[t]
      n == Fresh(p)
  IN
  /\ pc[t] = "prepare" /\ FreshOrdinals(p) # {}
  /\ \/ /\ homes' = (n :> NamesIn(n)) @@ homes
        /\ home' = [home EXCEPT ![p] = n]
        /\ pc' = [pc EXCEPT ![t] = "take"]
        /\ UNCHANGED <<contender, queue, owes, budget>>
     \/ /\ Fails("prepare") /\ SpendFault
        /\ \/ UNCHANGED homes
           \/ \E made \in {{}, {n}, NamesIn(n)} : homes' = (n :> made) @@ homes
        /\ owes' = [owes EXCEPT ![p] = OwesHome(p, n)]
        /\ PassSlot(p, t, Start1(None, owes'[p]))
        /\ UNCHANGED home
  /\ UNCHANGED <<lock, late, procVars, heldLocks, releasing, gaveUp, seen>>

\* rename(home, L): effect.  Refused by a non-empty L; "failed" is every other error.  Where a call may run
\* late it may also be answered, and run once more.
Take(t) ==
  LET p == ProcOf[t]
      n == home[p]
      possible == Renames(n) \/ ("TakeReplaces" \in Broken /\ n \in DOMAIN homes)
      happens == /\ possible
                 /\ IF "TakeReplaces" \in Broken THEN lock' = homes[n] /\ homes' = Without(homes, n)
                    ELSE RenamedIn(n)
      doubt == IF "DoubtIsRefusal" \in Broken THEN "refused" ELSE "failed"
      answered == \/ /\ happens
                     /\ pc' = [pc EXCEPT ![t] = "taken"]
                  \/ /\ ~possible
                     /\ pc' = [pc EXCEPT ![t] = IF n \in DOMAIN homes THEN "refused" ELSE doubt]
                     /\ UNCHANGED <<lock, homes>>
  IN
  /\ pc[t] = "take" /\ p \in alive
  /\ \/ answered /\ UNCHANGED <<late, budget>>
     \/ /\ answered /\ ~Local /\ Fails("take") /\ SpendFault
        /\ late' = late \cup Pending("take", n, TRUE)
     \/ /\ Fails("take") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = doubt]
        /\ \E later \in Later : late' = late \cup Pending("take", n, later)
        /\ happens \/ UNCHANGED <<lock, homes>>
  /\ UNCHANGED <<procVars, registry, gaveUp, seen>>

\* readdir(L), in the turn that received the Take (or, after a doubt, the Look): exactly
\* the names that were prepared?
Verify(t) ==
  LET p == ProcOf[t]
      good == \/ lock = NamesIn(home[p])
              \/ "NoVerify" \in Broken
              \/ "VerifyAnyNames" \in Broken /\ ~Free(lock)
  IN
  /\ pc[t] \in {"taken", "verify"} /\ MyTurn(t)
  /\ \/ /\ pc' = [pc EXCEPT ![t] = IF good THEN "verified" ELSE "unverified"]
        /\ UNCHANGED budget
     \/ /\ Fails("verify") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = "unverified"]
  /\ UNCHANGED <<lock, homes, late, procVars, registry, gaveUp, seen>>

\* Into HELD_LOCKS.  A contender that gave up meanwhile passes the lock on, or takes it off the disk.
Granted(t) ==
  LET p == ProcOf[t]
      gone == t \in gaveUp /\ "GrantToGone" \notin Broken
      heir == IF gone THEN Head(queue[p]) ELSE t
  IN
  /\ pc[t] = "verified"
  /\ contender' = [contender EXCEPT ![p] = None]
  /\ IF gone /\ queue[p] = << >>
     THEN /\ releasing' = [releasing EXCEPT ![p] = [name |-> home[p], aside |-> FALSE]]
          /\ LeavesDisk(t)
          /\ UNCHANGED <<heldLocks, queue, gaveUp>>
     ELSE /\ GiveTo(p, t, GrantedWith(p, heir))
          /\ gaveUp' = IF gone THEN gaveUp \ {t} ELSE gaveUp
          /\ UNCHANGED <<releasing, owes, budget>>
  /\ UNCHANGED <<lock, homes, late, procVars, home, seen>>

\* Not taken.  A clean refusal: look who has it.  An error: look whether we have it.  Taken, but not as
\* it should be (the home had lost its file): the home is given up.
Refused(t) ==
  LET p == ProcOf[t] IN
  /\ pc[t] \in {"refused", "failed", "unverified"} /\ MyTurn(t)
  /\ CASE pc[t] = "failed" ->
            /\ pc' = [pc EXCEPT ![t] = "lookDoubt"]
            /\ UNCHANGED <<contender, queue, home, owes, gaveUp>>
       [] pc[t] = "refused" /\ t \notin gaveUp ->
            /\ pc' = [pc EXCEPT ![t] = "look"]
            /\ UNCHANGED <<contender, queue, home, owes, gaveUp>>
       [] pc[t] = "refused" /\ t \in gaveUp ->
            /\ PassSlotUnless("RefusedNeverPromotes" \in Broken, p, t, Start1(home[p], owes[p]))
            /\ gaveUp' = gaveUp \ {t}
            /\ LeaveHome(p)
       [] pc[t] = "unverified" ->
            /\ GiveUpHome(p)
            /\ \/ /\ t \notin gaveUp
                  /\ pc' = [pc EXCEPT ![t] = "waiting"]
                  /\ UNCHANGED <<contender, queue, gaveUp>>
               \/ /\ PassSlot(p, t, Start1(None, owes'[p]))   \* gave up, or one error too many
                  /\ gaveUp' = gaveUp \ {t}
  /\ UNCHANGED <<lock, homes, late, procVars, heldLocks, releasing, seen, budget>>

\* readdir(L): effect.  When it fails nothing was seen.
Look(t) ==
  /\ pc[t] \in {"look", "lookDoubt"}
  /\ \/ seen' = [seen EXCEPT ![t] = lock] /\ UNCHANGED budget
     \/ Fails("look") /\ SpendFault /\ seen' = [seen EXCEPT ![t] = Absent]
  /\ pc' = [pc EXCEPT ![t] = IF @ = "look" THEN "looked" ELSE "lookedDoubt"]
  /\ UNCHANGED <<lock, homes, late, procVars, registry, gaveUp>>

\* Who is dead (A1).  Merging the probes of several names is sound: death is for ever.
Dead(p, n) ==
  IF "JudgeByHeldLocks" \in Broken
  THEN ~Lives(n) \/ (PidOf[Owner(n)] = PidOf[p] /\ ~(heldLocks[p] # {} /\ home[p] = n))
  ELSE ~Lives(n)

\* Who may be judged dead: a suspect by one judge, and not by another.
SeemsDead(p, n) == Dead(p, n) \/ n \in suspects

\* L was seen empty.  Where rename does not replace an empty directory it is cleared first.
AgainFrom(dir) ==
  IF dir # Absent /\ ~RenameReplacesEmpty /\ "NoClear" \notin Broken THEN {"clear"} ELSE {"take", "waiting"}

Judge(t) ==
  LET p == ProcOf[t]
      names == NamesAt(seen[t])
      ours == home[p] \in names /\ "OwnIsAnothers" \notin Broken
      forget == seen' = [seen EXCEPT ![t] = Absent]
  IN
  /\ pc[t] \in {"looked", "lookedDoubt"} /\ MyTurn(t)
  /\ CASE ours ->  \* ours: taken, and the reply was lost
            /\ pc' = [pc EXCEPT ![t] = "verify"]
            /\ forget
            /\ UNCHANGED <<contender, queue, home, owes, gaveUp>>
       [] ~ours /\ pc[t] = "lookedDoubt" ->
            /\ GiveUpHome(p)
            /\ forget
            /\ \/ /\ t \notin gaveUp
                  /\ pc' = [pc EXCEPT ![t] = "waiting"]
                  /\ UNCHANGED <<contender, queue, gaveUp>>
               \/ /\ PassSlot(p, t, Start1(None, owes'[p]))   \* gave up, or one error too many
                  /\ gaveUp' = gaveUp \ {t}
       [] ~ours /\ pc[t] = "looked" /\ t \in gaveUp ->
            /\ PassSlotUnless("RefusedNeverPromotes" \in Broken, p, t, Start1(home[p], owes[p]))
            /\ gaveUp' = gaveUp \ {t}
            /\ forget
            /\ LeaveHome(p)
       [] ~ours /\ pc[t] = "looked" /\ t \notin gaveUp ->
            /\ \/ /\ names = {}   \* free by now: again, at once or (refused too often) after a while
                  /\ \E next \in AgainFrom(seen[t]) : pc' = [pc EXCEPT ![t] = next]
                  /\ forget
               \/ /\ names # {} /\ "NeverEvict" \notin Broken
                  /\ \/ \A n \in names : SeemsDead(p, n)
                     \/ "EvictTheLiving" \in Broken /\ \E n \in names : Dead(p, n)
                  /\ pc' = [pc EXCEPT ![t] = "evict"]
                  /\ UNCHANGED seen
               \/ /\ names # {}
                  /\ "NeverEvict" \in Broken \/ \E n \in names : ~Dead(p, n)
                  /\ pc' = [pc EXCEPT ![t] = "waiting"]
                  /\ forget
            /\ UNCHANGED <<contender, queue, home, owes, gaveUp>>
  /\ UNCHANGED <<lock, homes, late, procVars, heldLocks, releasing, budget>>

\* unlink(L/X), in the turn that judged: a compare-and-delete, since the name X is used once.  When all
\* are gone the Take is sent.
Evict(t) ==
  /\ pc[t] = "evict"
  /\ \E x \in seen[t] :
       LET happens == lock' = CASE lock = Absent -> Absent
                                [] lock # Absent /\ "EvictByPath" \in Broken -> Absent
                                [] lock # Absent /\ "EvictByPath" \notin Broken -> lock \ {x}
           rest == seen[t] \ {x}
       IN
       \/ /\ happens
          /\ seen' = [seen EXCEPT ![t] = IF rest = {} THEN Absent ELSE rest]
          /\ pc' = [pc EXCEPT ![t] = IF rest = {} THEN "take" ELSE "evict"]
          /\ UNCHANGED <<late, budget>>
       \/ /\ Fails("evict") /\ SpendFault
          /\ happens \/ UNCHANGED lock
          /\ \E later \in Later : late' = late \cup Pending("unlinkLock", x, later)
          /\ seen' = [seen EXCEPT ![t] = Absent]
          /\ pc' = [pc EXCEPT ![t] = "waiting"]
  /\ UNCHANGED <<homes, procVars, registry, gaveUp>>

\* rmdir(L), in the turn that judged, only where rename does not replace an empty directory: it cannot remove
\* one that is not empty.  Then the Take is sent; cleared too often in vain, after a while.
Clear(t) ==
  LET happens == lock' = IF lock = {} \/ "ClearByForce" \in Broken THEN Absent ELSE lock IN
  /\ pc[t] = "clear"
  /\ \/ /\ happens
        /\ \E next \in {"take", "waiting"} : pc' = [pc EXCEPT ![t] = next]
        /\ UNCHANGED <<late, budget>>
     \/ /\ Fails("clear") /\ SpendFault
        /\ happens \/ UNCHANGED lock
        /\ \E later \in Later : late' = late \cup Pending("clear", home[ProcOf[t]], later)
        /\ pc' = [pc EXCEPT ![t] = "waiting"]
  /\ UNCHANGED <<homes, procVars, registry, gaveUp, seen>>

\* The wait is over (a timer, or the file system told us): the Take is sent.
Wake(t) ==
  /\ pc[t] = "waiting" /\ MyTurn(t)
  /\ pc' = [pc EXCEPT ![t] = Start1(home[ProcOf[t]], owes[ProcOf[t]])]
  /\ UNCHANGED <<lock, homes, late, procVars, registry, gaveUp, seen, budget>>

\* A waiter's timeout or AbortSignal.  Its promise is rejected now.  If it has a call under way it keeps
\* the slot until the turn of that call: Granted, Refused or Judge then go on without it.
GiveUp(t) ==
  LET p == ProcOf[t] IN
  /\ t \notin PatientTasks /\ t \notin gaveUp /\ ThreadFree(p)
  /\ \/ /\ pc[t] = "queued" /\ "GoneStaysQueued" \notin Broken
        /\ queue' = [queue EXCEPT ![p] = SelectSeq(@, LAMBDA u : u # t)]
        /\ pc' = [pc EXCEPT ![t] = "idle"]
        /\ UNCHANGED <<contender, home, owes, gaveUp>>
     \/ /\ pc[t] = "queued" /\ "GoneStaysQueued" \in Broken
        /\ gaveUp' = gaveUp \cup {t}
        /\ UNCHANGED <<contender, queue, home, owes, pc>>
     \/ /\ pc[t] = "waiting"
        /\ IF "NeverPromote" \in Broken
           THEN /\ contender' = [contender EXCEPT ![p] = None]
                /\ pc' = [pc EXCEPT ![t] = "idle"]
                /\ UNCHANGED <<queue, home, owes>>
           ELSE /\ PassSlot(p, t, "waiting")   \* the heir takes over the wait too
                /\ LeaveHome(p)
        /\ UNCHANGED gaveUp
     \/ /\ pc[t] \in InFlight
        /\ gaveUp' = gaveUp \cup {t}
        /\ IF "PassSlotInFlight" \in Broken /\ pc[t] = "take"
           THEN \* broken: the next one contends although this one's Take may still take effect
                IF queue[p] = << >>
                THEN contender' = [contender EXCEPT ![p] = None] /\ UNCHANGED <<queue, pc>>
                ELSE /\ contender' = [contender EXCEPT ![p] = Head(queue[p])]
                     /\ queue' = [queue EXCEPT ![p] = Tail(@)]
                     /\ pc' = [pc EXCEPT ![Head(queue[p])] = Start1(home[p], owes[p])]
           ELSE UNCHANGED <<contender, queue, pc>>
        /\ UNCHANGED <<home, owes>>
  /\ UNCHANGED <<lock, homes, late, procVars, heldLocks, releasing, seen, budget>>

\* The guest is let go: it works under the lock from here on, whatever becomes of its process.  If it has
\* ended meanwhile there is nobody to let go.
LetGo(t) ==
  LET p == ProcOf[t]
      g == GuestOf[p]
  IN
  /\ HasGuest(p) /\ ThreadFree(p)
  /\ guest[g] # None /\ guest[g].at = "heldBack"
  /\ pc[t] = "holding" \/ ("LetGoEarly" \in Broken /\ pc[t] \in Contending)
  /\ guest' = [guest EXCEPT ![g].at = "running"]
  /\ UNCHANGED <<lock, homes, late, alive, inc, suspects, revoked, registry, gaveUp, seen, pc, budget>>

\* The last holder hands over in memory, or moves the lock to RELEASING and goes to the disk.  Handing
\* over is bounded in time; here either may happen, and Fairness says that the disk gets its turn.
\* Whose guest works waits for its end.
HandsOver(t) ==
  LET p == ProcOf[t] IN
  /\ heldLocks[p] = {t} /\ queue[p] # << >>
  /\ GiveTo(p, t, GrantedWith(p, Head(queue[p]))
                     \cup (IF "HandOverToAll" \in Broken THEN {queue[p][i] : i \in 1 .. Len(queue[p])}
                          ELSE {}))
  /\ UNCHANGED <<releasing, owes, budget>>

GoesToDisk(t) ==
  LET p == ProcOf[t] IN
  /\ heldLocks[p] = {t} \/ "ReleaseOfAll" \in Broken
  /\ heldLocks' = IF "HoldWhileReleasing" \in Broken THEN heldLocks
                  ELSE [heldLocks EXCEPT ![p] = @ \ {t}]
  /\ releasing' = [releasing EXCEPT ![p] = [name |-> home[p], aside |-> queue[p] # << >>]]
  /\ LeavesDisk(t)
  /\ UNCHANGED queue

LetsGo(t) ==
  LET p == ProcOf[t] IN
  /\ pc[t] = "holding" /\ ThreadFree(p)
  /\ HasGuest(p) /\ "ReleaseUnderGuest" \notin Broken => guest[GuestOf[p]] = None
  /\ \/ /\ heldLocks[p] # {t}
        /\ heldLocks' = [heldLocks EXCEPT ![p] = @ \ {t}]
        /\ pc' = [pc EXCEPT ![t] = "idle"]
        /\ UNCHANGED <<releasing, queue, owes, budget>>
     \/ HandsOver(t)
     \/ GoesToDisk(t)

\* Of a handle that was revoked: nothing is left to give back.
Release(t) ==
  /\ \/ LetsGo(t) /\ UNCHANGED revoked
     \/ /\ t \in revoked /\ ThreadFree(ProcOf[t])
        /\ revoked' = revoked \ {t}
        /\ UNCHANGED <<heldLocks, releasing, queue, pc, owes, budget>>
  /\ UNCHANGED <<lock, homes, late, alive, inc, suspects, guest, contender, home, gaveUp, seen>>

\* The watchdog, where it may: a handle that is held for too long is invalid from now on, and the lock goes the
\* way of a release.  Telling its holder so is no step: nothing here changes by it.
Expire(t) ==
  /\ Revokes /\ LetsGo(t)
  /\ revoked' = revoked \cup {t}
  /\ UNCHANGED <<lock, homes, late, alive, inc, suspects, guest, contender, home, gaveUp, seen>>

\* readdir(L) must be exactly [own]; then PutBack in the same turn.
Check(t) ==
  /\ pc[t] = "check"
  /\ \/ /\ pc' = [pc EXCEPT ![t] = IF lock = {home[ProcOf[t]]} \/ "NoCheck" \in Broken
                                 THEN "putBack" ELSE "drop"]
        /\ UNCHANGED budget
     \/ /\ Fails("check") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = "drop"]
  /\ UNCHANGED <<lock, homes, late, procVars, registry, gaveUp, seen>>

\* rename(L, home), synchronous.  The only call that is not conditional by name, so it must never run
\* late.  When it fails the release goes on as a Drop.
PutBack(t) ==
  LET p == ProcOf[t]
      n == home[p]
      possible == RenamesBack(n)
      happens == possible /\ RenamedBack(n)
  IN
  /\ pc[t] = "putBack"
  /\ \/ /\ happens
        /\ pc' = [pc EXCEPT ![t] = "confirm"]
        /\ UNCHANGED budget
     \/ /\ ~possible
        /\ pc' = [pc EXCEPT ![t] = "drop"]
        /\ UNCHANGED <<lock, homes, budget>>
     \/ /\ Fails("putBack") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = "drop"]
        /\ happens \/ UNCHANGED <<lock, homes>>
  /\ UNCHANGED <<late, procVars, registry, gaveUp, seen>>

\* readdir(home), in the same turn: what we moved must have been ours.
Confirm(t) ==
  LET n == home[ProcOf[t]] IN
  /\ pc[t] = "confirm"
  /\ \/ /\ pc' = [pc EXCEPT ![t] = IF (n \in DOMAIN homes /\ homes[n] = {n}) \/ "NoConfirm" \in Broken
                                 THEN "released" ELSE "restore"]
        /\ UNCHANGED budget
     \/ /\ Fails("confirm") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = "restore"]
  /\ UNCHANGED <<lock, homes, late, procVars, registry, gaveUp, seen>>

\* It was not, or that cannot be seen: back with it at once, if nobody took the place.
Restore(t) ==
  LET n == home[ProcOf[t]]
      possible == Renames(n) /\ "NoRestore" \notin Broken
      happens == possible /\ RenamedIn(n)
  IN
  /\ pc[t] = "restore"
  /\ \/ happens /\ UNCHANGED budget
     \/ ~possible /\ UNCHANGED <<lock, homes, budget>>
     \/ Fails("restore") /\ SpendFault /\ (happens \/ UNCHANGED <<lock, homes>>)
  /\ pc' = [pc EXCEPT ![t] = "lost"]
  /\ UNCHANGED <<late, procVars, registry, gaveUp, seen>>

\* unlink(L/own): effect.  "dropMissed": it was not there (a PutBack that failed had happened, or
\* somebody took it away).
Drop(t) ==
  LET n == home[ProcOf[t]]
      happens == lock' = IF lock # Absent /\ "DropByPath" \in Broken THEN Absent
                         ELSE IF n \in NamesAt(lock) THEN lock \ {n} ELSE lock
  IN
  /\ pc[t] = "drop"
  /\ \/ /\ happens
        /\ pc' = [pc EXCEPT ![t] = IF n \in NamesAt(lock) THEN "dropped" ELSE "dropMissed"]
        /\ UNCHANGED <<late, budget>>
     \/ /\ Fails("drop") /\ SpendFault
        /\ pc' = [pc EXCEPT ![t] = "dropFailed"]
        /\ happens \/ UNCHANGED lock
        /\ \E later \in Later : late' = late \cup Pending("unlinkLock", n, later)
  /\ UNCHANGED <<homes, procVars, registry, gaveUp, seen>>

\* Off the disk, and out of RELEASING; the head of the queue becomes the contender.  A failed release is
\* owed and stays in RELEASING.  A name for which a Drop was sent is never held again.
Released(t) ==
  LET p == ProcOf[t]
      owed == pc[t] = "dropFailed" /\ "ForgetFailedRelease" \notin Broken
      kept == pc[t] = "released"
      left == /\ pc[t] \in {"dropMissed", "lost"}   \* our file may lie elsewhere: the home is given up
              /\ "MissedOwesNothing" \notin Broken
      first == IF releasing[p].aside THEN "waiting" ELSE Start1(home'[p], owes'[p])
  IN
  /\ pc[t] \in {"released", "lost", "dropped", "dropMissed", "dropFailed"} /\ MyTurn(t)
  /\ home' = [home EXCEPT ![p] = IF kept THEN @ ELSE None]
  /\ owes' = IF owed \/ left THEN [owes EXCEPT ![p] = (home[p] :> FirstCall) @@ @] ELSE owes
  /\ gaveUp' = gaveUp \ {t}
  /\ heldLocks' = IF "HoldWhileReleasing" \in Broken THEN [heldLocks EXCEPT ![p] = @ \ {t}] ELSE heldLocks
  /\ CASE owed /\ "PromoteWhileOwed" \notin Broken ->
            /\ pc' = [pc EXCEPT ![t] = "idle"]
            /\ UNCHANGED <<releasing, contender, queue>>
       [] owed /\ "PromoteWhileOwed" \in Broken -> PassSlot(p, t, first) /\ UNCHANGED releasing
       [] ~owed ->
            /\ releasing' = [releasing EXCEPT ![p] = None]
            /\ PassSlotUnless("ReleasedNeverPromotes" \in Broken, p, t, first)
  /\ UNCHANGED <<lock, homes, late, procVars, seen, budget>>

\* The next call for a name that is owed: unlink(home/own); if that is ENOENT, unlink(L/own); then
\* rmdir(home), which only tidies and is tried once.  Effect, and, as nothing else in the process looks at
\* it before Retried, its turn.
RetryHappens(n, step) ==
  CASE step = "unlinkHome" /\ HomeOf(n) \in DOMAIN homes /\ n \in homes[HomeOf(n)] ->
         homes' = Emptied(homes, n) /\ UNCHANGED lock
    [] step = "unlinkLock" /\ n \in NamesAt(lock) ->
         lock' = lock \ {n} /\ UNCHANGED homes
    [] step = "unlinkLock" /\ n \notin NamesAt(lock) /\ lock # Absent /\ "RetryByPath" \in Broken ->
         lock' = Absent /\ UNCHANGED homes
    [] step = "rmdirHome" /\ HomeOf(n) \in DOMAIN homes /\ homes[HomeOf(n)] = {} ->
         homes' = Without(homes, HomeOf(n)) /\ UNCHANGED lock
    [] OTHER -> UNCHANGED <<lock, homes>>

AfterRetry(n, step) ==
  CASE step = "unlinkHome" ->
         IF \/ HomeOf(n) \in DOMAIN homes /\ n \in homes[HomeOf(n)]
            \/ "PayAfterOne" \in Broken \/ "OweLockFirst" \in Broken
         THEN "rmdirHome" ELSE "unlinkLock"
    [] step = "unlinkLock" ->
         IF n \notin NamesAt(lock) /\ "OweLockFirst" \in Broken THEN "unlinkHome" ELSE "rmdirHome"
    [] step = "rmdirHome" -> "paid"

Retry(p, n) ==
  /\ p \in alive /\ n \in DOMAIN owes[p] /\ owes[p][n] # "paid"
  /\ LET step == owes[p][n] IN
     \/ /\ RetryHappens(n, step)
        /\ owes' = [owes EXCEPT ![p][n] = AfterRetry(n, step)]
        /\ UNCHANGED <<late, budget>>
     \/ /\ Fails("retry") /\ SpendFault
        /\ RetryHappens(n, step) \/ UNCHANGED <<lock, homes>>
        /\ \E later \in Later : late' = late \cup Pending(step, n, later)
        /\ owes' = [owes EXCEPT ![p][n] = IF step = "rmdirHome" THEN "paid" ELSE step]
  /\ UNCHANGED <<procVars, heldLocks, releasing, contender, queue, home, gaveUp, seen, pc>>

\* The turn: owed no more.  If it was the release, the head of the queue becomes the contender.
Retried(p, n) ==
  /\ p \in alive /\ n \in DOMAIN owes[p] /\ owes[p][n] = "paid" /\ ThreadFree(p)
  /\ owes' = [owes EXCEPT ![p] = Without(@, n)]
  /\ IF releasing[p] # None /\ releasing[p].name = n /\ "RetriedForgetsRelease" \notin Broken
     THEN /\ releasing' = [releasing EXCEPT ![p] = None]
          /\ IF queue[p] = << >> \/ "RetriedNeverPromotes" \in Broken
             THEN UNCHANGED <<contender, queue, pc>>
             ELSE /\ contender' = [contender EXCEPT ![p] = Head(queue[p])]
                  /\ queue' = [queue EXCEPT ![p] = Tail(@)]
                  /\ pc' = [pc EXCEPT ![Head(queue[p])] =
                              IF releasing[p].aside THEN "waiting" ELSE Start1(home[p], owes'[p])]
     ELSE UNCHANGED <<releasing, contender, queue, pc>>
  /\ UNCHANGED <<lock, homes, late, procVars, heldLocks, home, gaveUp, seen, budget>>

-----------------------------------------------------------------------------
(* The environment *)

\* What p has sent, or is about to send, at this moment.
Sent(p) ==
  UNION {CASE pc[t] = "take" -> {[op |-> "take", name |-> home[p]]}
           [] pc[t] = "drop" -> {[op |-> "unlinkLock", name |-> home[p]]}
           [] pc[t] = "evict" -> {[op |-> "unlinkLock", name |-> x] : x \in seen[t]}
           [] pc[t] = "clear" -> {[op |-> "clear", name |-> home[p]]}
           [] OTHER -> {} : t \in TasksOf(p)}
  \cup {[op |-> owes[p][n], name |-> n] : n \in {m \in DOMAIN owes[p] : owes[p][m] # "paid"}}

SentPutBack(p) ==
  {[op |-> "putBack", name |-> home[p]] : t \in {u \in TasksOf(p) : pc[u] = "putBack"}}

\* The process is gone, with everything that it remembered; nothing is unlocked.  A guest that was let go goes
\* on; one that is held back sees the end of its pipe, and ends.
Crash(p) ==
  /\ p \in alive /\ budget.crash > 0
  /\ budget' = [budget EXCEPT !.crash = @ - 1]
  /\ alive' = alive \ {p}
  /\ suspects' = {n \in suspects : Owner(n) # p}
  /\ revoked' = revoked \ TasksOf(p)
  /\ guest' = IF "EndOfPipeIsGo" \in Broken /\ HasGuest(p) /\ guest[GuestOf[p]] # None
              THEN [guest EXCEPT ![GuestOf[p]].at = "running"]
              ELSE guest
  /\ late' = late \cup (IF Local THEN {} ELSE Sent(p))
                  \cup (IF "LatePutBack" \in Broken THEN SentPutBack(p) ELSE {})
  /\ heldLocks' = [heldLocks EXCEPT ![p] = {}]
  /\ releasing' = [releasing EXCEPT ![p] = None]
  /\ contender' = [contender EXCEPT ![p] = None]
  /\ queue' = [queue EXCEPT ![p] = << >>]
  /\ home' = [home EXCEPT ![p] = None]
  /\ owes' = [owes EXCEPT ![p] = << >>]
  /\ gaveUp' = gaveUp \ TasksOf(p)
  /\ seen' = [t \in Tasks |-> IF ProcOf[t] = p THEN Absent ELSE seen[t]]
  /\ pc' = [t \in Tasks |-> IF ProcOf[t] = p THEN "idle" ELSE pc[t]]
  /\ UNCHANGED <<lock, homes, inc>>

\* A new process; it gets the pid of the dead one.
Start(p) ==
  /\ p \notin alive
  /\ alive' = alive \cup {p}
  /\ inc' = IF "KeepIncarnation" \in Broken THEN inc ELSE [inc EXCEPT ![p] = @ + 1]
  /\ UNCHANGED <<lock, homes, late, suspects, revoked, guest, registry, gaveUp, seen, pc, budget>>

\* A guest ends: its work is done, somebody killed it, or it was held back and its process gave up or died.
GuestEnds(g) ==
  /\ guest[g] # None
  /\ guest' = [guest EXCEPT ![g] = None]
  /\ UNCHANGED <<lock, homes, late, alive, inc, suspects, revoked, registry, gaveUp, seen, pc, budget>>

\* A call that was sent takes effect after its process has died, or after it was reported as failed.
LateEffect(c) ==
  /\ c \in late
  /\ late' = late \ {c}
  /\ LET n == c.name IN
     CASE c.op = "take" /\ Renames(n) -> RenamedIn(n)
       [] c.op = "putBack" /\ RenamesBack(n) -> RenamedBack(n)
       [] c.op = "clear" /\ lock = {} -> lock' = Absent /\ UNCHANGED homes
       [] c.op \in {"unlinkHome", "unlinkLock", "rmdirHome"} -> RetryHappens(n, c.op)
       [] OTHER -> UNCHANGED <<lock, homes>>
  /\ UNCHANGED <<procVars, registry, gaveUp, seen, pc, budget>>

\* Somebody removes files from a home, or the home.
Vandal(n) ==
  /\ budget.vandal > 0
  /\ budget' = [budget EXCEPT !.vandal = @ - 1]
  /\ n \in DOMAIN homes
  /\ \/ \E rest \in SUBSET homes[n] \ {homes[n]} : homes' = [homes EXCEPT ![n] = rest]
     \/ homes' = Without(homes, n)
  /\ UNCHANGED <<lock, late, procVars, registry, gaveUp, seen, pc>>

\* Somebody takes a living owner for dead.  Only names that are seen at L are ever judged.
Suspect(n) ==
  /\ budget.suspicion > 0
  /\ budget' = [budget EXCEPT !.suspicion = @ - 1]
  /\ n \in NamesAt(lock) \ suspects /\ Lives(n)
  /\ suspects' = suspects \cup {n}
  /\ UNCHANGED <<lock, homes, late, alive, inc, revoked, guest, registry, gaveUp, seen, pc>>

\* unlink(L/n), by an operator, who cannot prove that the owner is dead.  One that runs late is one that runs then.
Break(n) ==
  /\ budget.break > 0
  /\ budget' = [budget EXCEPT !.break = @ - 1]
  /\ n \in NamesAt(lock)
  /\ lock' = lock \ {n}
  /\ suspects' = suspects \cup {m \in {n} : Lives(m)}
  /\ UNCHANGED <<homes, late, alive, inc, revoked, guest, registry, gaveUp, seen, pc>>

\* Somebody removes the file n at L, or L with all that is in it.
Remove(n) ==
  /\ budget.removal > 0
  /\ budget' = [budget EXCEPT !.removal = @ - 1]
  /\ n \in NamesAt(lock)
  /\ lock' = lock \ {n} \/ lock' = Absent
  /\ suspects' = suspects \cup {m \in lock \ NamesAt(lock') : Lives(m)}
  /\ UNCHANGED <<homes, late, alive, inc, revoked, guest, registry, gaveUp, seen, pc>>

-----------------------------------------------------------------------------
\* Everything that t does once it has asked, apart from giving up and letting go: it is bound to go on.
Step(t) ==
  \/ Prepare(t) \/ Take(t) \/ Verify(t) \/ Granted(t) \/ Refused(t) \/ Look(t) \/ Judge(t)
  \/ Evict(t) \/ Clear(t) \/ Wake(t) \/ Check(t) \/ PutBack(t) \/ Confirm(t) \/ Restore(t)
  \/ Drop(t) \/ Released(t)

Task(t) == Request(t) \/ Step(t) \/ GiveUp(t) \/ LetGo(t) \/ Release(t) \/ Expire(t)

Pay(p) == \E n \in Names : Retry(p, n) \/ Retried(p, n)

Environment ==
  \/ \E p \in Procs : Crash(p) \/ Start(p)
  \/ \E g \in Guests : GuestEnds(g)
  \/ \E c \in late : LateEffect(c)
  \/ \E n \in Names : Vandal(n) \/ Suspect(n) \/ Break(n) \/ Remove(n)

\* The end of a run with counted requests.  Only "everybody idle, nothing owed, nothing to come" may be
\* final: anything else without a next step is a deadlock, and TLC looks for deadlocks.  (A waiter that looks
\* again and again is no deadlock: SomeoneGetsIt is about those.)
AllIdle ==
  /\ \A t \in Tasks : pc[t] = "idle"
  /\ \A p \in Procs : owes[p] = << >> /\ releasing[p] = None /\ contender[p] = None
  /\ late = {} /\ revoked = {}
Finished == MaxRequests > 0 /\ budget.request = 0 /\ AllIdle /\ UNCHANGED vars

Next ==
  \/ \E t \in Tasks : Task(t)
  \/ \E p \in Procs : Pay(p)
  \/ Environment
  \/ Finished

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Fairness *)

\* Every process goes on, every debt is tried again, every holder lets go.  Strong fairness for Retried: the
\* event loop runs what is ready in the end, although the thread is busy with others again and again.
Progress ==
  /\ \A t \in Tasks : WF_vars(Step(t)) /\ WF_vars(Release(t))
  /\ \A p \in Procs : WF_vars(Pay(p)) /\ SF_vars(\E n \in Names : Retried(p, n))

\* A guest that its process waits for, held back, may end or not.  Every other one ends: sooner or later its work
\* is done, and the pipe of one that nobody will let go has an end.
IsAskedFor(g) ==
  \E t \in Tasks : /\ HasGuest(ProcOf[t]) /\ GuestOf[ProcOf[t]] = g
                  /\ pc[t] # "idle" /\ t \notin gaveUp /\ inc[ProcOf[t]] = guest[g].inc
GuestIsDone(g) == GuestEnds(g) /\ (guest[g].at = "running" \/ ~IsAskedFor(g))
GuestsAreLetGo == \A t \in {u \in Tasks : HasGuest(ProcOf[u])} : WF_vars(LetGo(t))
GuestsEnd == \A g \in Guests : WF_vars(GuestIsDone(g))

\* The bound on hand-overs in memory: the disk gets its turn.
BoundedHandOvers(p) == SF_vars(\E t \in TasksOf(p) : Release(t) /\ GoesToDisk(t))

\* The schedule is not in league with the others: a process whose contender again and again could make a
\* certain step while the lock is free makes it, again and again, while the lock is free.  With it, that a
\* contender gets the lock is nearly assumed; what EveryProcessGetsIt adds is the bound on hand-overs.  In
\* src/ it is earned by jitter and by standing aside, and it is measured, not proved.
FairDisk(p) ==
  /\ SF_vars(Free(lock) /\ \E t \in TasksOf(p) : Take(t))
  /\ SF_vars(Free(lock) /\ \E t \in TasksOf(p) : Refused(t))
  /\ SF_vars(Free(lock) /\ \E t \in TasksOf(p) : Look(t))
  /\ SF_vars(Free(lock) /\ \E t \in TasksOf(p) : Judge(t))
  /\ SF_vars(Free(lock) /\ \E t \in TasksOf(p) : Wake(t))

LiveSpec == Spec /\ Progress
GuestSpec == LiveSpec /\ GuestsAreLetGo /\ GuestsEnd
\* Broken: a guest may work for ever.
EndlessGuestSpec == LiveSpec /\ GuestsAreLetGo
\* Broken: nobody has to try a debt again.
NoRetrySpec == Spec /\ \A t \in Tasks : WF_vars(Step(t)) /\ WF_vars(Release(t))
FairSpec == Spec /\ Progress /\ \A p \in Procs : BoundedHandOvers(p) /\ FairDisk(p)

-----------------------------------------------------------------------------
(* Safety *)

Holders == {t \in Tasks : pc[t] = "holding"}

Dirs == {Absent} \cup SUBSET Names

TypeOK ==
  /\ lock = Absent \/ lock \subseteq Names
  /\ DOMAIN homes \subseteq Names /\ \A n \in DOMAIN homes : homes[n] \subseteq Names
  /\ \A c \in late : /\ c.op \in {"take", "clear", "putBack", "unlinkHome", "unlinkLock", "rmdirHome"}
                     /\ c.name \in Names
  /\ alive \subseteq Procs
  /\ inc \in [Procs -> 1 .. MaxCrashes + 1]
  /\ suspects \subseteq {n \in Names : Lives(n)}
  /\ revoked \subseteq {t \in Tasks : ProcOf[t] \in alive /\ t \notin heldLocks[ProcOf[t]]}
  /\ guest \in [Guests -> {None} \cup [inc : 1 .. MaxCrashes + 1, at : {"heldBack", "running"}]]
  /\ \A p \in Procs :
       /\ heldLocks[p] \subseteq TasksOf(p)
       /\ releasing[p] = None \/ (releasing[p].name \in Names /\ releasing[p].aside \in BOOLEAN)
       /\ contender[p] = None \/ contender[p] \in TasksOf(p)
       /\ Range(queue[p]) \subseteq TasksOf(p)
       /\ home[p] = None \/ home[p] \in Names
       /\ DOMAIN owes[p] \subseteq Names
       /\ \A n \in DOMAIN owes[p] : owes[p][n] \in {"unlinkHome", "unlinkLock", "rmdirHome", "paid"}
  /\ gaveUp \subseteq Tasks
  /\ \A t \in Tasks : seen[t] = Absent \/ seen[t] \subseteq Names
  /\ pc \in [Tasks -> PCs]
  /\ budget.crash \in 0 .. MaxCrashes /\ budget.fault \in 0 .. MaxFaults
  /\ budget.vandal \in 0 .. MaxVandals /\ budget.request \in 0 .. MaxRequests
  /\ budget.suspicion \in 0 .. MaxSuspicions /\ budget.break \in 0 .. MaxBreaks
  /\ budget.removal \in 0 .. MaxRemovals

\* A name for every Prepare: the finite stock of names hides nothing.
FreshNamesSuffice == \A t \in Tasks : pc[t] = "prepare" => FreshOrdinals(ProcOf[t]) # {}

\* Several at a time only if they are of one process, and all asked to share.
Exclude(T) == \A t, u \in T : t # u => ProcOf[t] = ProcOf[u] /\ {t, u} \subseteq ReentrantTasks

\* The guests that were let go.
Running == {g \in Guests : guest[g] # None /\ guest[g].at = "running"}
IsGuestOf(g, t) == HasGuest(ProcOf[t]) /\ GuestOf[ProcOf[t]] = g /\ guest[g].inc = inc[ProcOf[t]]

\* Two tasks hold at the same time only if they are of one process, and both asked to share.  While a guest
\* works nobody holds but the incarnation that let it go, and no other guest works.
MutualExclusion ==
  /\ Exclude(Holders)
  /\ \A g \in Running : \A t \in Holders : IsGuestOf(g, t)
  /\ \A g, h \in Running : g = h

\* Whoever holds has his name on the disk, his guest's beside it, and no other.
HeldIsOnDisk == \A p \in Procs : heldLocks[p] # {} => lock = NamesIn(home[p])

\* A guest that works has its name on the disk, whatever became of its process.
GuestIsOnDisk == \A g \in Running : \E n \in NamesAt(lock) : Owner(n) = g /\ Lives(n)

\* A valid handle is in HELD_LOCKS, and what is in HELD_LOCKS is a valid handle: of one that did not give up.
NoGhostHolder ==
  \A t \in Tasks : (pc[t] = "holding" /\ t \notin gaveUp) <=> t \in heldLocks[ProcOf[t]]

\* One contender, and never beside a holder or a release.
OneContender ==
  \A p \in Procs :
    /\ Cardinality({t \in TasksOf(p) : pc[t] \in Contending}) <= 1
    /\ contender[p] # None => heldLocks[p] = {} /\ releasing[p] = None

\* Nobody queues behind nothing.
NoIdleQueue ==
  \A p \in Procs : queue[p] # << >> =>
    heldLocks[p] # {} \/ contender[p] # None \/ releasing[p] # None

\* A lock that names a living process is on that process's mind; its guest's name too.  (A guest whose process
\* is gone remembers nothing: it ends.)
Remembered(n) ==
  LET p == Owner(HomeOf(n)) IN
  \/ HomeOf(n) = home[p] /\ (contender[p] # None \/ heldLocks[p] # {})
  \/ releasing[p] # None /\ releasing[p].name = n
  \/ n \in DOMAIN owes[p]
NothingForgotten == \A n \in NamesAt(lock) : Lives(n) /\ Lives(HomeOf(n)) => Remembered(n)

\* Whose step is it that changes L while a living process owns it?  Only the owner's; of a guest, its process's.
ByOwner(n) ==
  LET h == HomeOf(n)
      p == Owner(h)
  IN
  \/ \E t \in TasksOf(p) : home[p] = h /\ (Drop(t) \/ PutBack(t))
  \/ \E m \in NamesIn(h) : Retry(p, m)
  \/ \E c \in late : c.name \in NamesIn(h) /\ LateEffect(c)
NeverTouchesAnothersStep ==
  \A n \in NamesAt(lock) : Lives(n) /\ lock' # lock => ByOwner(n)
NeverTouchesAnothers == [][NeverTouchesAnothersStep]_vars

\* What is left of it where the environment breaks an assumption: only whoever was taken for dead, broken or
\* robbed loses, never a third.
Innocent(t) == home[ProcOf[t]] \notin suspects
MutualExclusionAmongInnocent == Exclude({t \in Holders : Innocent(t)})
InnocentIsOnDisk == \A t \in Holders : Innocent(t) => home[ProcOf[t]] \in NamesAt(lock)
NeverTouchesAnInnocentStep ==
  \A n \in NamesAt(lock) \ NamesAt(lock') : Lives(n) /\ n \notin suspects' => ByOwner(n)
NeverTouchesAnInnocent == [][NeverTouchesAnInnocentStep]_vars

\* Whoever may believe that it may write.  Must fail where the watchdog revokes: a writer that ignores it goes on.
WritersExclude == Exclude(Holders \cup revoked)

\* In a process the lock goes to those who asked first: whoever leaves the queue for the lock or for the slot
\* is its head, or shares the lock with a group that begins with the head, or with a contender that was before.
FifoStep ==
  \A p \in Procs : queue'[p] # queue[p] /\ queue[p] # << >> /\ p \in alive' =>
    LET gone == Range(queue[p]) \ Range(queue'[p])
        group == heldLocks'[p]
    IN
    \/ \E t \in Tasks : queue'[p] = Append(queue[p], t)
    \/ /\ queue'[p] = SelectSeq(queue[p], LAMBDA u : u \notin gone)
       /\ \/ gone = {Head(queue[p])}
          \/ \E t \in gone : gone = {t} /\ pc'[t] = "idle"
          \/ /\ gone \subseteq group /\ group \subseteq ReentrantTasks
             /\ Head(queue[p]) \in gone \/ group \ gone # {}
Fifo == [][FifoStep]_vars

-----------------------------------------------------------------------------
(* What it implements.  The abstract owner is what the DISK says, not a program counter.  An incarnation *)
(* and its guest are one owner there; that a guest who outlives its process keeps the lock is said by     *)
(* MutualExclusion and GuestIsOnDisk above.                                                               *)

AbstractOwner ==
  IF Free(lock) THEN None
  ELSE LET n == HomeOf(CHOOSE m \in lock : TRUE) IN <<n[1], n[2]>>

L == INSTANCE Lock WITH owner <- AbstractOwner, users <- UNION {heldLocks[p] : p \in Procs}

\* L!Spec, in an order that is cheap to check: most steps change nothing that the abstract lock has.
RefinementInit == L!Init
Refinement == [][UNCHANGED L!vars \/ L!Next]_vars

THEOREM Spec => L!Spec

-----------------------------------------------------------------------------
(* Liveness *)

Waits(t) == pc[t] \in Contending \cup {"queued"} /\ t \notin gaveUp
SomeoneWaits == \E t \in Tasks : Waits(t)

\* Under LiveSpec.  Not because they all went away: configurations with this property have no GiveUp.
SomeoneGetsIt == SomeoneWaits ~> (Holders # {} \/ ~SomeoneWaits)

\* Under LiveSpec with counted requests: once the competition ends, everybody has had the lock.
EveryRequestEnds == \A t \in Tasks : Waits(t) ~> ~Waits(t)

\* Under FairSpec, with requests without end.  TLC expands strong fairness into 2^n cases, so it is asked for
\* one process at a time, with the fairness that this one needs: ProcessGetsIt.
ProcessGetsIt(p) ==
  (\E t \in TasksOf(p) : Waits(t)) ~> (heldLocks[p] # {} \/ \A t \in TasksOf(p) : ~Waits(t))
EveryProcessGetsIt == \A p \in Procs : ProcessGetsIt(p)

\* Under LiveSpec: what is owed is paid.
DebtsArePaid == \A p \in Procs : owes[p] # << >> ~> owes[p] = << >>
=============================================================================

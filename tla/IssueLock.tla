------------------------------ MODULE IssueLock ------------------------------
(***************************************************************************)
(* The algorithm of the issue that started this project, and the two fixes *)
(* that the issue proposes.  It is not our lock: OwnerDirectory is.        *)
(*                                                                         *)
(* Question asked: in which ways do two tasks come to hold the lock, or    *)
(* does a holder lose it without a word; does fix A close them, does fix   *)
(* B; and if all of them are closed, is that all?                          *)
(*                                                                         *)
(* Every way is a hole with a name, in Holes.  Those in OpenHoles are as   *)
(* the issue has them; every other one is closed by the smallest change    *)
(* that closes it alone, at the place that names it.  OpenHoles = Holes is *)
(* the algorithm of the issue, {} must hold, and {h} must fail wherever h  *)
(* is open at all.  model/issue/holes.ts tells each hole's story.          *)
(*                                                                         *)
(* Granularity: as in OwnerDirectory.  An asynchronous call is two         *)
(* actions, its effect on the disk and the turn that receives its result.  *)
(* No turn here has a synchronous call behind which it goes on, so a turn  *)
(* is one action and no other task of the process runs in it.  Judge has   *)
(* several probes; merging them is sound because death is for ever.        *)
(*                                                                         *)
(* The file has an identity, which creation it is: <<p, i, k>>, the k-th   *)
(* of incarnation i of p.  The algorithm sees its pid only, and i if there *)
(* are start times; the properties see all of it.                          *)
(*                                                                         *)
(* Decided where the issue is silent:                                      *)
(* - Fix B keeps the entry while it is released, so a reentrant request    *)
(*   joins it as any entry: "count += 1" knows no releasePromise.  An      *)
(*   exclusive request goes to the disk as before and finds no orphan.     *)
(*   A second release finds the entry, and awaits releasePromise.  The     *)
(*   delete at the end is HELD_LOCKS.delete(file), as the text has it: by  *)
(*   key, whatever entry is there.                                         *)
(* - Fix A keeps a Set of session files.  Adding one that is in it changes *)
(*   nothing, and the release that ends first deletes it.                  *)
(* - cleanStaleLockFiles knows no HELD_LOCKS, so it has no orphan rule.    *)
(* - HELD_LOCKS is process-wide, and nothing is said of worker threads,    *)
(*   which have one pid and a heap each.  OrphanOfAnotherRegistry reads    *)
(*   it as a map of its thread, as a variable of a module is.  A process   *)
(*   here is then a thread, and two may share a pid (PidOf).               *)
(*                                                                         *)
(* Start times are a constant of the run.  A process on Linux that cannot  *)
(* read /proc once writes a payload without, and is as on macOS.           *)
(*                                                                         *)
(* Not modelled: time (a wait may end, a file may be old, the watchdog may *)
(* find an entry overdue at any moment); a pid that a foreign program uses *)
(* again (it blocks, it does not break); a write that fails; calls that    *)
(* take effect after the death of their process (they remove by path: the  *)
(* same holes); mkdir and realpath, which touch nothing of the lock (but   *)
(* where realpath fails for one process only, a directory behind a link    *)
(* has two lock paths).  Liveness: the algorithm has no queue, and nothing *)
(* promises a turn; a request that may share looks once whether it can     *)
(* join, and waits beside a holder that came a moment later.               *)
(*                                                                         *)
(* How to run: npm run tlc, the Issue configurations of tla/models.json.   *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS
  Procs,          \* processes, by pid
  Tasks,          \* the tasks that use the lock
  ProcOf,         \* ProcOf[t]: the process that runs task t
  PidOf,          \* PidOf[p]: the pid that p writes; two worker threads of one process share it
  ReentrantTasks, \* the tasks that call acquire with allowReentrant (the default of the issue)
  StartTime,      \* TRUE: payloads have a start time (Linux); FALSE: none (macOS, Windows)
  Fix,            \* "none", "guardSet" (A) or "lateDelete" (B)
  Features,       \* what is there beside acquire and release: see AllFeatures
  OpenHoles,      \* the holes that are open; every other one is closed
  IdsPerLife,     \* creations of an incarnation that are told apart at a time; enough: FreshIdsSuffice
  MaxCrashes,     \* crashes, and exits
  None, Absent    \* model values: nobody, nothing

VARIABLES
  file,      \* the lock path L: Absent, or [id, written, old]: old is "older than staleMs"
  life,      \* life[p]: "runs", "exiting" (its exit hooks have run, no turn comes any more), or "dead"
  inc,       \* inc[p]: the number of the present, or last, incarnation of p
  heldLocks, \* HELD_LOCKS of p, for the one session file: None, or the entry [id, count, releasing]
  releasing, \* RELEASING of p: how many releases in flight it knows of.  A Set knows 0 or 1
  handle,    \* handle[x]: the creation that x has made, holds by, or releases
  spent,     \* spent[t]: the handle that t has released, and may release again
  seen,      \* seen[t]: what t's read gave: None (no read), Absent, or [id, empty, old]
  pc,        \* pc[x]: where x is, a task, or the watchdog of a process under the name of the process
  budget     \* what the environment may still do

procVars == <<life, inc>>
registry == <<heldLocks, releasing>>
vars == <<file, life, inc, heldLocks, releasing, handle, spent, seen, pc, budget>>

-----------------------------------------------------------------------------
(* The holes, and the features that some of them need *)

Holes == {
  "OrphanWhileReleasing",     \* a lock that is being released is taken for an orphan
  "GuardRemovedEarly",        \* A: the release that ends first removes the guard of the other
  "OrphanWhileTaking",        \* a lock that is written but not yet in HELD_LOCKS is taken for an orphan
  "OrphanOfAnotherRegistry",  \* a lock of another worker thread of this process is taken for an orphan
  "OrphanByPath",             \* the orphan that was read is gone; what stands there now is removed
  "StaleByPath",              \* the stale file that was judged is gone; what stands there now is removed
  "JoinWhileReleasing",       \* B: a request joins an entry that is on its way out
  "LateDeleteHitsAnother",    \* B: the late delete deletes the next holder's entry
  "JoinExclusive",            \* a request that may share joins a holder who does not share
  "ReleaseTwice",             \* one handle gives back what another one holds
  "ForgetFailedRemoval",      \* a file that could not be removed is forgotten
  "UnwrittenIsStale",         \* a lock that is not written yet is removed as stale
  "UnreadableIsStale",        \* a lock that could not be read is removed as stale
  "MtimeOfAnother",           \* the mtime that decides is that of another file than was read
  "AgeIsDeath",               \* a living owner is removed because it is old
  "WatchdogReleases",         \* the watchdog releases the lock of a holder who is not told
  "ExitUnlocksHolder",        \* the exit hook unlocks what is still written under
  "ExitWhileReleasing",       \* B: exit hook and release in flight both remove; one removes another's file
  "SweepOfNothing",           \* cleanStaleLockFiles removes a lock of which it read nothing
  "SweepByPath"}              \* cleanStaleLockFiles removes another file than it judged

AllFeatures == {
  "twice",       \* a handle may be released twice
  "removeFails", \* the removal of a release may fail
  "readFails",   \* a read may fail with the file there
  "mtime",       \* a file may stand for longer than staleMs, as its mtime tells
  "age",         \*   ... and as its createdAt tells
  "watchdog",    \* the watchdog may find an entry overdue
  "exit",        \* a process may exit or get a signal that it handles, instead of crashing
  "sweep"}       \* tasks may call cleanStaleLockFiles

ASSUME
  /\ Fix \in {"none", "guardSet", "lateDelete"}
  /\ OpenHoles \subseteq Holes /\ Features \subseteq AllFeatures

-----------------------------------------------------------------------------
(* Identities, as the names of OwnerDirectory: one comes back when nothing refers to it any more. *)

IdOf(p, i, k) == <<p, i, k>>
Ids == {IdOf(p, i, k) : p \in Procs, i \in 1 .. MaxCrashes + 1, k \in 1 .. IdsPerLife}
Owner(n) == n[1]
Lives(n) == life[n[1]] # "dead" /\ inc[n[1]] = n[2]

\* Who runs code of the lock: the tasks, and the watchdogs if there are any.
Agents == Tasks \cup (IF "watchdog" \in Features THEN Procs ELSE {})
ProcessOf(x) == IF x \in Procs THEN x ELSE ProcOf[x]
AgentsOf(p) == {x \in Agents : ProcessOf(x) = p}

Referenced ==
  (IF file = Absent THEN {} ELSE {file.id})
    \cup {heldLocks[p].id : p \in {q \in Procs : heldLocks[q] # None}}
    \cup {handle[x] : x \in Agents} \cup {spent[t] : t \in Tasks}
    \cup {seen[t].id : t \in {u \in Tasks : seen[u] \notin {None, Absent}}}

FreshOrdinals(p) == {k \in 1 .. IdsPerLife : IdOf(p, inc[p], k) \notin Referenced}
Fresh(p) == IdOf(p, inc[p], CHOOSE k \in FreshOrdinals(p) : \A j \in FreshOrdinals(p) : k <= j)

-----------------------------------------------------------------------------
(* Where an agent can be.  "open", "write", "read", ... : the call is under way, without effect so far. *)

Taking == {"open", "opened", "exists", "write", "written"}
Looking == {"read", "looked", "stat", "old", "young", "waiting"}
Reclaiming == {"removeDead", "removeOrphan", "removeOld", "reclaimed"}
Leaving == {"close", "closed", "remove", "removed"}
Sweeping == {"sweepRead", "sweepLooked", "sweepRemove", "sweepRemoved"}
PCs == {"idle", "holding"} \cup Taking \cup Looking \cup Reclaiming \cup Leaving \cup Sweeping

\* A turn of x: its process runs, and x has the result for which it waits, or has just been called.
Turn(x, places) == pc[x] \in places /\ life[ProcessOf(x)] = "runs"

Stands(n) == file # Absent /\ file.id = n

Init ==
  /\ file = Absent
  /\ life = [p \in Procs |-> "runs"]
  /\ inc = [p \in Procs |-> 1]
  /\ heldLocks = [p \in Procs |-> None]
  /\ releasing = [p \in Procs |-> 0]
  /\ handle = [x \in Agents |-> None]
  /\ spent = [t \in Tasks |-> None]
  /\ seen = [t \in Tasks |-> None]
  /\ pc = [x \in Agents |-> "idle"]
  /\ budget = [crash |-> MaxCrashes]

-----------------------------------------------------------------------------
(* Pieces of actions *)

\* rm(L).  POSIX removes whatever stands there; with the hole closed it removes n and nothing else, in one
\* step.  No file system call does that, which is why these holes are not closed by a small change.
RemoveByPath == file' = Absent
RemoveOnly(n) == file' = IF Stands(n) THEN Absent ELSE file
RemoveRead(t, hole) ==
  IF hole \in OpenHoles \/ seen[t] = Absent THEN RemoveByPath ELSE RemoveOnly(seen[t].id)

\* A's Set; with GuardRemovedEarly closed, a number.
GuardAdded(n) == IF "GuardRemovedEarly" \in OpenHoles THEN 1 ELSE n + 1
GuardRemoved(n) == IF "GuardRemovedEarly" \in OpenHoles THEN 0 ELSE n - 1

\* The last one lets go: x takes the entry id off the disk.  Sets heldLocks, releasing, handle, pc.
BeginRelease(x, p, id) ==
  /\ heldLocks' = [heldLocks EXCEPT ![p] = IF Fix = "lateDelete"
                                           THEN [@ EXCEPT !.count = 0, !.releasing = TRUE]
                                           ELSE None]
  /\ releasing' = IF Fix = "guardSet" THEN [releasing EXCEPT ![p] = GuardAdded(@)] ELSE releasing
  /\ handle' = [handle EXCEPT ![x] = id]
  /\ pc' = [pc EXCEPT ![x] = "close"]

\* Does this call of release begin the way off the disk?  Else it returns, or (B) awaits releasePromise.
Begins(p, id) ==
  heldLocks[p] # None /\ heldLocks[p].id = id /\ heldLocks[p].count <= 1 /\ ~heldLocks[p].releasing

\* "If HELD_LOCKS entry is not this one: return.  count -= 1."
CountedDown(p, id) ==
  IF heldLocks[p] # None /\ heldLocks[p].id = id
  THEN [heldLocks EXCEPT ![p].count = @ - 1]
  ELSE heldLocks

-----------------------------------------------------------------------------
(* The actions *)

\* acquire, up to its first call that matters: joins an entry of HELD_LOCKS, or sends open(L, "wx").
Request(t) ==
  LET p == ProcOf[t]
      entry == heldLocks[p]
      joins == /\ t \in ReentrantTasks /\ entry # None
               /\ entry.releasing => "JoinWhileReleasing" \in OpenHoles
               /\ \/ "JoinExclusive" \in OpenHoles
                  \/ \A u \in Tasks : handle[u] = entry.id /\ pc[u] = "holding" => u \in ReentrantTasks
  IN
  /\ Turn(t, {"idle"})
  /\ IF joins
     THEN /\ heldLocks' = [heldLocks EXCEPT ![p].count = @ + 1]
          /\ handle' = [handle EXCEPT ![t] = entry.id]
          /\ pc' = [pc EXCEPT ![t] = "holding"]
     ELSE /\ pc' = [pc EXCEPT ![t] = "open"]
          /\ UNCHANGED <<heldLocks, handle>>
  /\ UNCHANGED <<file, procVars, releasing, spent, seen, budget>>

\* open(L, "wx"): effect.  With UnwrittenIsStale closed the file appears with its payload in it (written
\* aside, then linked to L).
Open(t) ==
  LET p == ProcOf[t] IN
  /\ pc[t] = "open"
  /\ IF file = Absent
     THEN /\ FreshOrdinals(p) # {}
          /\ file' = [id |-> Fresh(p), written |-> "UnwrittenIsStale" \notin OpenHoles, old |-> FALSE]
          /\ handle' = [handle EXCEPT ![t] = Fresh(p)]
          /\ pc' = [pc EXCEPT ![t] = "opened"]
     ELSE /\ pc' = [pc EXCEPT ![t] = "exists"]
          /\ UNCHANGED <<file, handle>>
  /\ UNCHANGED <<procVars, registry, spent, seen, budget>>

\* The write is sent.
Opened(t) ==
  /\ Turn(t, {"opened"})
  /\ pc' = [pc EXCEPT ![t] = "write"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* The payload: effect, on the file that t has open, wherever that is.  It renews the mtime.
Write(t) ==
  /\ pc[t] = "write"
  /\ file' = IF Stands(handle[t]) THEN [file EXCEPT !.written = TRUE, !.old = FALSE] ELSE file
  /\ pc' = [pc EXCEPT ![t] = "written"]
  /\ UNCHANGED <<procVars, registry, handle, spent, seen, budget>>

\* HELD_LOCKS.set, whatever was there.
Granted(t) ==
  LET p == ProcOf[t] IN
  /\ Turn(t, {"written"})
  /\ heldLocks' = [heldLocks EXCEPT ![p] = [id |-> handle[t], count |-> 1, releasing |-> FALSE]]
  /\ pc' = [pc EXCEPT ![t] = "holding"]
  /\ UNCHANGED <<file, procVars, releasing, handle, spent, seen, budget>>

\* EEXIST: the read is sent.
Refused(t) ==
  /\ Turn(t, {"exists"})
  /\ pc' = [pc EXCEPT ![t] = "read"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* read(L): effect.  Nothing there, nothing written yet, and any error: nothing.  Which file it was, the
\* algorithm forgets; seen does not.
Read(t) ==
  LET fails == "readFails" \in Features /\ "UnreadableIsStale" \in OpenHoles IN
  /\ pc[t] \in {"read", "sweepRead"}
  /\ IF file = Absent
     THEN seen' = [seen EXCEPT ![t] = Absent]
     ELSE \E empty \in {~file.written} \cup {e \in {TRUE} : fails} :
            seen' = [seen EXCEPT ![t] = [id |-> file.id, empty |-> empty, old |-> file.old]]
  /\ pc' = [pc EXCEPT ![t] = IF @ = "read" THEN "looked" ELSE "sweepLooked"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, budget>>

\* kill(pid, 0), and the start time where there is one.
Dead(n) ==
  IF StartTime THEN ~Lives(n)
  ELSE \A p \in Procs : PidOf[p] = PidOf[Owner(n)] => life[p] = "dead"

\* The orphan rule: my pid, no start time, and HELD_LOCKS does not have it.
Orphan(p, n) ==
  /\ ~StartTime /\ PidOf[Owner(n)] = PidOf[p]
  /\ "OrphanOfAnotherRegistry" \in OpenHoles \/ Owner(n) = p
  /\ heldLocks[p] = None
  /\ Fix = "guardSet" => releasing[p] = 0
  /\ Fix = "none" /\ "OrphanWhileReleasing" \notin OpenHoles => \A x \in AgentsOf(p) : pc[x] \notin Leaving
  /\ "OrphanWhileTaking" \notin OpenHoles => \A x \in AgentsOf(p) : pc[x] \notin Taking

TooOld(s) == "age" \in Features /\ s.old /\ "AgeIsDeath" \in OpenHoles

Nothing(s) == IF s = Absent THEN TRUE ELSE s.empty

\* Stale: the removal is sent.  Nothing read: the mtime decides.  Else: wait.
Judge(t) ==
  LET s == seen[t]
      verdict == IF s = Absent /\ "MtimeOfAnother" \notin OpenHoles THEN "waiting"
                 ELSE IF Nothing(s) THEN "stat"
                 ELSE IF Dead(s.id) THEN "removeDead"
                 ELSE IF Orphan(ProcOf[t], s.id) THEN "removeOrphan"
                 ELSE IF TooOld(s) THEN "removeOld"
                 ELSE "waiting"
      stale == IF Nothing(s) THEN "SweepOfNothing" \in OpenHoles ELSE Dead(s.id) \/ TooOld(s)
  IN
  /\ Turn(t, {"looked", "sweepLooked"})
  /\ pc' = [pc EXCEPT ![t] = IF @ = "looked" THEN verdict ELSE IF stale THEN "sweepRemove" ELSE "idle"]
  /\ seen' = IF pc'[t] \in {"waiting", "idle"} THEN [seen EXCEPT ![t] = None] ELSE seen
  /\ UNCHANGED <<file, procVars, registry, handle, spent, budget>>

\* stat(L).mtime: effect.  With MtimeOfAnother closed it is that of the file that was read (fstat).
Stat(t) ==
  LET asked == "MtimeOfAnother" \in OpenHoles \/ Stands(seen[t].id)
      old == "mtime" \in Features /\ file # Absent /\ asked /\ file.old
  IN
  /\ pc[t] = "stat"
  /\ pc' = [pc EXCEPT ![t] = IF old THEN "old" ELSE "young"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* "Stale only if the mtime is older than staleMs."
JudgeAge(t) ==
  /\ Turn(t, {"old", "young"})
  /\ pc' = [pc EXCEPT ![t] = IF @ = "old" THEN "removeOld" ELSE "waiting"]
  /\ seen' = IF pc[t] = "old" THEN seen ELSE [seen EXCEPT ![t] = None]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, budget>>

\* rm(L) of what was judged stale: effect.
Reclaim(t) ==
  /\ \/ pc[t] \in {"removeDead", "removeOld"} /\ RemoveRead(t, "StaleByPath")
     \/ pc[t] = "removeOrphan" /\ RemoveRead(t, "OrphanByPath")
     \/ pc[t] = "sweepRemove" /\ RemoveRead(t, "SweepByPath")
  /\ seen' = [seen EXCEPT ![t] = None]
  /\ pc' = [pc EXCEPT ![t] = IF @ = "sweepRemove" THEN "sweepRemoved" ELSE "reclaimed"]
  /\ UNCHANGED <<procVars, registry, handle, spent, budget>>

\* "Try again at once."  The sweep is done.
Reclaimed(t) ==
  /\ Turn(t, {"reclaimed", "sweepRemoved"})
  /\ pc' = [pc EXCEPT ![t] = IF @ = "reclaimed" THEN "open" ELSE "idle"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* The wait is over: open(L, "wx") is sent again.
Wake(t) ==
  /\ Turn(t, {"waiting"})
  /\ pc' = [pc EXCEPT ![t] = "open"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* timeoutMs is over.
GiveUp(t) ==
  /\ Turn(t, {"waiting"})
  /\ pc' = [pc EXCEPT ![t] = "idle"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* release, up to its first call: the last one sends close.  With ReleaseTwice closed a handle knows that
\* it is spent.
Release(t) ==
  LET p == ProcOf[t] IN
  /\ Turn(t, {"holding"})
  /\ IF Begins(p, handle[t])
     THEN BeginRelease(t, p, handle[t])
     ELSE /\ heldLocks' = CountedDown(p, handle[t])
          /\ handle' = [handle EXCEPT ![t] = None]
          /\ pc' = [pc EXCEPT ![t] = "idle"]
          /\ UNCHANGED releasing
  /\ spent' = IF "twice" \in Features /\ "ReleaseTwice" \in OpenHoles
              THEN [spent EXCEPT ![t] = handle[t]]
              ELSE spent
  /\ UNCHANGED <<file, procVars, seen, budget>>

\* release again, by the same handle, after the first call or while it is under way.
ReleaseAgain(t) ==
  LET p == ProcOf[t] IN
  /\ Turn(t, {"idle"} \cup Leaving) /\ spent[t] # None
  /\ IF Begins(p, spent[t])
     THEN pc[t] = "idle" /\ BeginRelease(t, p, spent[t])
     ELSE /\ heldLocks' = CountedDown(p, spent[t])
          /\ UNCHANGED <<releasing, handle, pc>>
  /\ spent' = [spent EXCEPT ![t] = None]
  /\ UNCHANGED <<file, procVars, seen, budget>>

\* close: effect.  Nothing that the path shows.
Close(x) ==
  /\ pc[x] = "close"
  /\ pc' = [pc EXCEPT ![x] = "closed"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* rm(L) is sent.
Closed(x) ==
  /\ Turn(x, {"closed"})
  /\ pc' = [pc EXCEPT ![x] = "remove"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

\* rm(L) of the release: effect, by path, errors ignored.  With every hole closed what stands there is its
\* own file: that a release removes by path is no hole of its own.  With ForgetFailedRemoval closed it is
\* tried until it has succeeded.
Remove(x) ==
  /\ pc[x] = "remove"
  /\ \/ RemoveByPath
     \/ "removeFails" \in Features /\ "ForgetFailedRemoval" \in OpenHoles /\ UNCHANGED file
  /\ pc' = [pc EXCEPT ![x] = "removed"]
  /\ UNCHANGED <<procVars, registry, handle, spent, seen, budget>>

\* The rm has settled: A removes the guard, B deletes the entry.
Released(x) ==
  LET p == ProcessOf(x)
      deletes == /\ Fix = "lateDelete" /\ heldLocks[p] # None
                 /\ "LateDeleteHitsAnother" \in OpenHoles \/ heldLocks[p].id = handle[x]
  IN
  /\ Turn(x, {"removed"})
  /\ heldLocks' = IF deletes THEN [heldLocks EXCEPT ![p] = None] ELSE heldLocks
  /\ releasing' = IF Fix = "guardSet" THEN [releasing EXCEPT ![p] = GuardRemoved(@)] ELSE releasing
  /\ handle' = [handle EXCEPT ![x] = None]
  /\ pc' = [pc EXCEPT ![x] = "idle"]
  /\ UNCHANGED <<file, procVars, spent, seen, budget>>

\* The watchdog: held for longer than maxHoldMs, the same release, forced.  With WatchdogReleases closed it
\* takes nothing away.
Expire(p) ==
  /\ "watchdog" \in Features /\ "WatchdogReleases" \in OpenHoles
  /\ Turn(p, {"idle"}) /\ heldLocks[p] # None /\ ~heldLocks[p].releasing
  /\ BeginRelease(p, p, heldLocks[p].id)
  /\ UNCHANGED <<file, procVars, spent, seen, budget>>

\* cleanStaleLockFiles: readdir shows the file, effect.  Its read is sent in the next turn.
Sweep(t) ==
  /\ "sweep" \in Features /\ Turn(t, {"idle"}) /\ file # Absent
  /\ pc' = [pc EXCEPT ![t] = "sweepRead"]
  /\ UNCHANGED <<file, procVars, registry, handle, spent, seen, budget>>

-----------------------------------------------------------------------------
(* The environment *)

\* The exit hook, or the handler of a signal: rmSync(L) for the entry.  No turn of p comes after it, but what
\* p has sent, the writes of its holder among it, goes on until the process is gone.
ExitHook(p) ==
  LET entry == heldLocks[p] IN
  /\ "exit" \in Features /\ life[p] = "runs" /\ budget.crash > 0 /\ entry # None
  /\ (IF entry.releasing THEN "ExitWhileReleasing" ELSE "ExitUnlocksHolder") \in OpenHoles
  /\ RemoveByPath
  /\ life' = [life EXCEPT ![p] = "exiting"]
  /\ budget' = [budget EXCEPT !.crash = @ - 1]
  /\ UNCHANGED <<inc, registry, handle, spent, seen, pc>>

\* The process is gone, with everything that it remembered.
Crash(p) ==
  /\ \/ life[p] = "exiting" /\ UNCHANGED budget
     \/ /\ life[p] = "runs" /\ budget.crash > 0
        /\ budget' = [budget EXCEPT !.crash = @ - 1]
  /\ life' = [life EXCEPT ![p] = "dead"]
  /\ heldLocks' = [heldLocks EXCEPT ![p] = None]
  /\ releasing' = [releasing EXCEPT ![p] = 0]
  /\ handle' = [x \in Agents |-> IF ProcessOf(x) = p THEN None ELSE handle[x]]
  /\ spent' = [t \in Tasks |-> IF ProcOf[t] = p THEN None ELSE spent[t]]
  /\ seen' = [t \in Tasks |-> IF ProcOf[t] = p THEN None ELSE seen[t]]
  /\ pc' = [x \in Agents |-> IF ProcessOf(x) = p THEN "idle" ELSE pc[x]]
  /\ UNCHANGED <<file, inc>>

\* A new process; it gets the pid of the dead one.
Start(p) ==
  /\ life[p] = "dead"
  /\ life' = [life EXCEPT ![p] = "runs"]
  /\ inc' = [inc EXCEPT ![p] = @ + 1]
  /\ UNCHANGED <<file, registry, handle, spent, seen, pc, budget>>

\* staleMs go by: a process was stopped, a machine slept, a holder holds for long.
Age ==
  /\ Features \cap {"mtime", "age"} # {} /\ file # Absent /\ ~file.old
  /\ file' = [file EXCEPT !.old = TRUE]
  /\ UNCHANGED <<procVars, registry, handle, spent, seen, pc, budget>>

-----------------------------------------------------------------------------
Task(t) ==
  \/ Request(t) \/ Open(t) \/ Opened(t) \/ Write(t) \/ Granted(t) \/ Refused(t) \/ Read(t) \/ Judge(t)
  \/ Stat(t) \/ JudgeAge(t) \/ Reclaim(t) \/ Reclaimed(t) \/ Wake(t) \/ GiveUp(t) \/ Release(t)
  \/ ReleaseAgain(t) \/ Sweep(t)

Leave(x) == Close(x) \/ Closed(x) \/ Remove(x) \/ Released(x)

Next ==
  \/ \E t \in Tasks : Task(t)
  \/ \E x \in Agents : Leave(x)
  \/ \E p \in Procs : Expire(p) \/ ExitHook(p) \/ Crash(p) \/ Start(p)
  \/ Age

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Safety *)

Holders == {t \in Tasks : pc[t] = "holding"}

TypeOK ==
  /\ file = Absent \/ (file.id \in Ids /\ file.written \in BOOLEAN /\ file.old \in BOOLEAN)
  /\ life \in [Procs -> {"runs", "exiting", "dead"}]
  /\ inc \in [Procs -> 1 .. MaxCrashes + 1]
  /\ \A p \in Procs :
       \/ heldLocks[p] = None
       \/ /\ heldLocks[p].id \in Ids /\ heldLocks[p].releasing \in BOOLEAN
          /\ heldLocks[p].count \in -Cardinality(Tasks) .. Cardinality(Tasks)
  /\ releasing \in [Procs -> 0 .. Cardinality(Agents)]
  /\ \A x \in Agents : handle[x] = None \/ handle[x] \in Ids
  /\ \A t \in Tasks : spent[t] = None \/ spent[t] \in Ids
  /\ \A t \in Tasks : \/ seen[t] \in {None, Absent}
                      \/ seen[t].id \in Ids /\ seen[t].empty \in BOOLEAN /\ seen[t].old \in BOOLEAN
  /\ pc \in [Agents -> PCs]
  /\ budget.crash \in 0 .. MaxCrashes

\* An identity for every creation: the finite stock hides nothing.
FreshIdsSuffice == \A t \in Tasks : pc[t] = "open" /\ file = Absent => FreshOrdinals(ProcOf[t]) # {}

\* Two tasks hold at the same time only if they are of one process, and both asked to share.
MutualExclusion ==
  \A t, u \in Holders : t # u => ProcOf[t] = ProcOf[u] /\ {t, u} \subseteq ReentrantTasks

\* A holder's own file stands at the path.
HeldIsOnDisk == \A t \in Holders : Stands(handle[t])

\* A valid handle is in HELD_LOCKS.
NoGhostHolder ==
  \A t \in Holders : heldLocks[ProcOf[t]] # None /\ heldLocks[ProcOf[t]].id = handle[t]

\* The file of a living process is on that process's mind.
NothingForgotten ==
  file # Absent /\ Lives(file.id) => \E x \in AgentsOf(Owner(file.id)) : handle[x] = file.id

\* Nobody removes the file of a holder: its own release comes when it holds no more.
NeverTouchesAnothersStep ==
  \A t \in Holders : Stands(handle[t]) => file' # Absent /\ file'.id = file.id
NeverTouchesAnothers == [][NeverTouchesAnothersStep]_vars
=============================================================================

----------------------------- MODULE RenameAside -----------------------------
(***************************************************************************)
(* A lock file whose stale instances are moved aside: whoever finds a dead *)
(* owner's file renames it to a unique name, looks at what it has moved,   *)
(* and puts it back if it is not what was judged.                          *)
(*                                                                         *)
(* Question asked: is "move first, then look" enough, where removing by    *)
(* path is not?                                                            *)
(*                                                                         *)
(* The file says whose it is: pid and start of the process.  Death is      *)
(* provable, so nobody has to be in time.  The only trouble is the move.   *)
(*                                                                         *)
(* Granularity: one action is one system call, with the turn that receives *)
(* its result: a process has one caller, so nobody sees what is between    *)
(* the two.                                                                *)
(*                                                                         *)
(* Properties: see the end.  How to run: npm run tlc -- --list, and look   *)
(* for RenameAside*.  Closed names the holes that are closed, each by the  *)
(* smallest change.                                                        *)
(*                                                                         *)
(* Not modelled: a file that is not written yet (here it is complete when  *)
(* it appears, as with link(2); tla/IssueLock.tla has that hole); several  *)
(* callers in one process; calls that fail for other reasons; calls that   *)
(* take effect after their process has died.                               *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Procs,       \* processes, by pid, one caller in each
  MaxCrashes,
  Recheck,     \* TRUE: the file is read once more, right before it is moved
  Closed,      \* the holes that are closed: "MoveByPath", "PutBackByRename"
  None, Absent \* model values: nothing, nothing there

VARIABLES
  lock,   \* what stands at the lock path: Absent, or the file of an owner <<p, i>>
  aside,  \* aside[p]: Absent, or the file that p has moved to its unique name
  stray,  \* the files that lie aside and whose mover has died
  saw,    \* saw[p]: None, or the owner that p has read and judges
  alive,  \* the processes that are running
  inc,    \* inc[p]: the number of the present, or last, incarnation of p
  pc,     \* pc[p]: where p's caller is
  crashes \* how many more crashes there may be

vars == <<lock, aside, stray, saw, alive, inc, pc, crashes>>

PCs == {"idle", "create", "read", "judge", "recheck", "move", "verify", "discard", "putBack", "tidy",
        "holding", "check", "unlink"}

Self(p) == <<p, inc[p]>>
Lives(o) == o[1] \in alive /\ inc[o[1]] = o[2]

\* p goes on at another place.
Goes(p, place) == pc' = [pc EXCEPT ![p] = place]
Forget(p) == saw' = [saw EXCEPT ![p] = None]

Init ==
  /\ lock = Absent
  /\ aside = [p \in Procs |-> Absent]
  /\ stray = {}
  /\ saw = [p \in Procs |-> None]
  /\ alive = Procs
  /\ inc = [p \in Procs |-> 1]
  /\ pc = [p \in Procs |-> "idle"]
  /\ crashes = MaxCrashes

-----------------------------------------------------------------------------
(* The actions *)

Request(p) ==
  /\ p \in alive /\ pc[p] = "idle"
  /\ Goes(p, "create")
  /\ UNCHANGED <<lock, aside, stray, saw, alive, inc, crashes>>

\* link(own file, lock path).  EEXIST: whose is it?
Create(p) ==
  /\ pc[p] = "create"
  /\ IF lock = Absent
     THEN lock' = Self(p) /\ Goes(p, "holding")
     ELSE Goes(p, "read") /\ UNCHANGED lock
  /\ UNCHANGED <<aside, stray, saw, alive, inc, crashes>>

\* read(lock path).
Read(p) ==
  /\ pc[p] = "read"
  /\ IF lock = Absent
     THEN Goes(p, "create") /\ UNCHANGED saw
     ELSE Goes(p, "judge") /\ saw' = [saw EXCEPT ![p] = lock]
  /\ UNCHANGED <<lock, aside, stray, alive, inc, crashes>>

\* Is the owner that was read dead?  That it lives now does not matter: death is for ever.
Judge(p) ==
  /\ pc[p] = "judge"
  /\ IF Lives(saw[p])
     THEN Goes(p, "create") /\ Forget(p)
     ELSE Goes(p, IF Recheck THEN "recheck" ELSE "move") /\ UNCHANGED saw
  /\ UNCHANGED <<lock, aside, stray, alive, inc, crashes>>

\* read(lock path), once more.
Reread(p) ==
  /\ pc[p] = "recheck"
  /\ IF lock = saw[p]
     THEN Goes(p, "move") /\ UNCHANGED saw
     ELSE Goes(p, "create") /\ Forget(p)
  /\ UNCHANGED <<lock, aside, stray, alive, inc, crashes>>

\* rename(lock path, unique name): it moves what is there, not what was judged.
Move(p) ==
  LET hits == lock # Absent /\ ("MoveByPath" \in Closed => lock = saw[p]) IN
  /\ pc[p] = "move"
  /\ IF hits
     THEN /\ aside' = [aside EXCEPT ![p] = lock]
          /\ lock' = Absent
          /\ Goes(p, "verify")
          /\ UNCHANGED saw
     ELSE Goes(p, "create") /\ Forget(p) /\ UNCHANGED <<lock, aside>>
  /\ UNCHANGED <<stray, alive, inc, crashes>>

\* read(unique name): is it what was judged?
Verify(p) ==
  /\ pc[p] = "verify"
  /\ Goes(p, IF aside[p] = saw[p] THEN "discard" ELSE "putBack")
  /\ Forget(p)
  /\ UNCHANGED <<lock, aside, stray, alive, inc, crashes>>

\* unlink(unique name).
Discard(p) ==
  /\ pc[p] = "discard"
  /\ aside' = [aside EXCEPT ![p] = Absent]
  /\ Goes(p, "create")
  /\ UNCHANGED <<lock, stray, saw, alive, inc, crashes>>

\* It was not: back with it.  By rename(unique name, lock path), which replaces whatever stands there; or, if
\* that hole is closed, by link(unique name, lock path), which fails if anything does.
PutBack(p) ==
  /\ pc[p] = "putBack"
  /\ IF "PutBackByRename" \in Closed
     THEN /\ lock' = IF lock = Absent THEN aside[p] ELSE lock
          /\ Goes(p, "tidy")
          /\ UNCHANGED aside
     ELSE /\ lock' = aside[p]
          /\ aside' = [aside EXCEPT ![p] = Absent]
          /\ Goes(p, "create")
  /\ UNCHANGED <<stray, saw, alive, inc, crashes>>

\* unlink(unique name), after the link.
Tidy(p) ==
  /\ pc[p] = "tidy"
  /\ aside' = [aside EXCEPT ![p] = Absent]
  /\ Goes(p, "create")
  /\ UNCHANGED <<lock, stray, saw, alive, inc, crashes>>

\* The holder lets go.
Release(p) ==
  /\ pc[p] = "holding"
  /\ Goes(p, "check")
  /\ UNCHANGED <<lock, aside, stray, saw, alive, inc, crashes>>

\* read(lock path): only if it is ours will it be removed.
Check(p) ==
  /\ pc[p] = "check"
  /\ Goes(p, IF lock = Self(p) THEN "unlink" ELSE "idle")
  /\ UNCHANGED <<lock, aside, stray, saw, alive, inc, crashes>>

\* unlink(lock path).
Unlink(p) ==
  /\ pc[p] = "unlink"
  /\ lock' = Absent
  /\ Goes(p, "idle")
  /\ UNCHANGED <<aside, stray, saw, alive, inc, crashes>>

-----------------------------------------------------------------------------
(* The environment *)

\* SIGKILL; calls that were sent do not happen.
Crash(p) ==
  /\ p \in alive /\ crashes > 0
  /\ crashes' = crashes - 1
  /\ alive' = alive \ {p}
  /\ stray' = stray \cup (IF aside[p] = Absent THEN {} ELSE {aside[p]})
  /\ aside' = [aside EXCEPT ![p] = Absent]
  /\ Forget(p)
  /\ Goes(p, "idle")
  /\ UNCHANGED <<lock, inc>>

\* A new process; it gets the pid of the dead one.
Start(p) ==
  /\ p \notin alive
  /\ alive' = alive \cup {p}
  /\ inc' = [inc EXCEPT ![p] = @ + 1]
  /\ UNCHANGED <<lock, aside, stray, saw, pc, crashes>>

Next ==
  \E p \in Procs :
    \/ Request(p) \/ Create(p) \/ Read(p) \/ Judge(p) \/ Reread(p) \/ Move(p) \/ Verify(p) \/ Discard(p)
    \/ PutBack(p) \/ Tidy(p) \/ Release(p) \/ Check(p) \/ Unlink(p)
    \/ Crash(p) \/ Start(p)

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Safety *)

Owners == {<<p, i>> : p \in Procs, i \in 1 .. MaxCrashes + 1}
Holders == {p \in Procs : pc[p] = "holding"}

TypeOK ==
  /\ lock \in Owners \cup {Absent}
  /\ aside \in [Procs -> Owners \cup {Absent}]
  /\ stray \subseteq Owners
  /\ saw \in [Procs -> Owners \cup {None}]
  /\ alive \subseteq Procs
  /\ inc \in [Procs -> 1 .. MaxCrashes + 1]
  /\ pc \in [Procs -> PCs]
  /\ crashes \in 0 .. MaxCrashes

\* Two processes never hold at the same time.
MutualExclusion == Cardinality(Holders) <= 1

\* Whoever holds has his file at the lock path.
HeldIsOnDisk == \A p \in Holders : lock = Self(p)

\* A lock file of a living process is on that process's mind: it holds, or is about to remove it.
NothingForgotten ==
  lock # Absent /\ Lives(lock) => pc[lock[1]] \in {"holding", "check", "unlink"}

\* No holder's file lies aside where nobody will put it back.
NobodyIsStranded == \A p \in Holders : Self(p) \notin stray

\* Putting back destroys nobody's lock.
PutBackClobbersNobodyStep ==
  \A p \in Procs : PutBack(p) => lock = Absent \/ ~Lives(lock) \/ lock' = lock
PutBackClobbersNobody == [][PutBackClobbersNobodyStep]_vars

\* A release removes nobody else's lock.
ReleaseIsOwnStep ==
  \A p \in Procs : Unlink(p) => lock = Absent \/ ~Lives(lock) \/ lock = Self(p)
ReleaseIsOwn == [][ReleaseIsOwnStep]_vars
=============================================================================

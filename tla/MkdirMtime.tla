----------------------------- MODULE MkdirMtime -----------------------------
(***************************************************************************)
(* How proper-lockfile (4.1.2, lib/lockfile.js) locks: the lock is a       *)
(* directory, made with mkdir, and its mtime says that the owner lives.    *)
(*                                                                         *)
(* Question asked: which of its calls go wrong, and is anything left to go *)
(* wrong when those are replaced by ones that no file system has?          *)
(*                                                                         *)
(* A lease: the holder sets the mtime again and again; whoever finds it    *)
(* older than Stale removes the directory, by path, and makes its own.     *)
(* The mtime is also the only identity that a directory has: the holder    *)
(* takes the directory for its own as long as the mtime is the one that it *)
(* set.                                                                    *)
(*                                                                         *)
(* Granularity: one action is one system call, with the turn that receives *)
(* its result.  A process has one caller, so nobody else sees what is      *)
(* between the two; where the turn looks at the clock it is an action of   *)
(* its own (Judge).  The updates of the mtime go on beside the caller.     *)
(*                                                                         *)
(* Properties: see the end.  How to run: npm run tlc -- --list, and look   *)
(* for MkdirMtime*.  Closed names the holes that are closed, each by the   *)
(* smallest change: a call that only hits the directory that it is meant   *)
(* for.  There is no such rmdir(2); ours gets it by a name in the          *)
(* directory (spec/protocol.md).                                           *)
(*                                                                         *)
(* Not modelled: several callers in one process (they race like            *)
(* processes); the probe of the mtime's precision that the first lock of a *)
(* process makes (one utimes more); errors other than EEXIST and ENOENT;   *)
(* the exit hook (a release); that Undo is not waited for; that a process  *)
(* may ask again while its last utimes is still under way.                 *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Procs,       \* processes, one caller in each
  Stale,       \* ticks after which an mtime is stale; the holder updates it after Stale / 2
  MaxTime,     \* the clock stops there
  MaxIds,      \* directories that can be told apart at a time; FreshIdsSuffice shows: enough
  MaxCrashes,
  Slow,        \* who may be slow: "owners" let their directory become stale, "contenders" judge an old look
  Ahead,       \* the processes whose clock is Stale ticks ahead of the file server's
  Closed,      \* the holes that are closed; {} is the library
  None, Absent \* model values: nothing yet, nothing there

VARIABLES
  now,     \* the file server's clock
  lock,    \* what stands at the lock path: Absent, or a directory [by, id, mtime]; only mtime can be seen
  saw,     \* saw[p]: None, or the directory [id, mtime] that p's Stat saw, until it is dealt with
  mine,    \* mine[p]: None, or the directory [id, mtime] that p made and the mtime that p takes for its own
  touches, \* touches[p]: None, or the utimes of p that is under way: the lock that it is for, and the mtime
  overdue, \* the processes that let their directory become stale, since they made it
  pc,      \* pc[p]: where p's caller is
  crashes  \* how many more crashes there may be

vars == <<now, lock, saw, mine, touches, overdue, pc, crashes>>

PCs == {"idle", "mkdir", "stat", "judge", "rmdir", "mkdirAgain", "probe", "undo", "holding", "unlock",
        "lost", "dead"}

-----------------------------------------------------------------------------
(* Directories.  Each mkdir makes another one.  Here an id comes back when nothing refers to it any more. *)

IdOf(r) == IF r = None THEN {} ELSE {r.id}
Referenced ==
  (IF lock = Absent THEN {} ELSE {lock.id})
    \cup UNION {IdOf(saw[p]) \cup IdOf(mine[p]) \cup IdOf(touches[p]) : p \in Procs}
FreshIds == {i \in 1 .. MaxIds : i \notin Referenced}
FreshId == CHOOSE i \in FreshIds : \A j \in FreshIds : i <= j

\* Whose directory stands at the lock path, if its maker still counts on it.
IsMine(p) == mine[p] # None /\ lock # Absent /\ lock.id = mine[p].id

\* Date.now() of p.
Clock(p) == IF p \in Ahead /\ "OwnClock" \notin Closed THEN now + Stale ELSE now

\* rmdir(lock path).  What it was meant for does not matter to the call; only if the hole is closed does it.
Rmdir(hole, meant) ==
  lock' = IF lock # Absent /\ hole \in Closed /\ lock.id # meant THEN lock ELSE Absent

Init ==
  /\ now = 0
  /\ lock = Absent
  /\ saw = [p \in Procs |-> None]
  /\ mine = [p \in Procs |-> None]
  /\ touches = [p \in Procs |-> None]
  /\ overdue = {}
  /\ pc = [p \in Procs |-> "idle"]
  /\ crashes = MaxCrashes

-----------------------------------------------------------------------------
(* The actions *)

\* lock(file).
Request(p) ==
  /\ pc[p] \in {"idle", "lost"} /\ touches[p] = None
  /\ pc' = [pc EXCEPT ![p] = "mkdir"]
  /\ UNCHANGED <<now, lock, saw, mine, touches, overdue, crashes>>

\* mkdir(lock path).  EEXIST: look how old it is; or, in the second attempt, ELOCKED, and after a while
\* (retries) everything again.
Mkdir(p) ==
  /\ pc[p] \in {"mkdir", "mkdirAgain"} /\ FreshIds # {}
  /\ IF lock = Absent
     THEN /\ lock' = [by |-> p, id |-> FreshId, mtime |-> now]
          /\ mine' = [mine EXCEPT ![p] = [id |-> FreshId, mtime |-> now]]
          /\ overdue' = overdue \ {p}
          /\ pc' = [pc EXCEPT ![p] = "probe"]
     ELSE /\ pc' = [pc EXCEPT ![p] = IF @ = "mkdir" THEN "stat" ELSE "mkdir"]
          /\ UNCHANGED <<lock, mine, overdue>>
  /\ UNCHANGED <<now, saw, touches, crashes>>

\* stat(lock path), for the mtime that is ours from now on.  ENOENT: somebody has removed it already.
Probe(p) ==
  /\ pc[p] = "probe"
  /\ IF lock = Absent
     THEN pc' = [pc EXCEPT ![p] = "undo"] /\ UNCHANGED mine
     ELSE pc' = [pc EXCEPT ![p] = "holding"] /\ mine' = [mine EXCEPT ![p].mtime = lock.mtime]
  /\ UNCHANGED <<now, lock, saw, touches, overdue, crashes>>

\* rmdir(lock path), "try to remove the lock"; the request ends with an error.
Undo(p) ==
  /\ pc[p] = "undo"
  /\ Rmdir("UndoByPath", mine[p].id)
  /\ mine' = [mine EXCEPT ![p] = None]
  /\ pc' = [pc EXCEPT ![p] = "idle"]
  /\ UNCHANGED <<now, saw, touches, overdue, crashes>>

\* stat(lock path).
Stat(p) ==
  /\ pc[p] = "stat"
  /\ IF lock = Absent
     THEN pc' = [pc EXCEPT ![p] = "mkdirAgain"] /\ UNCHANGED saw
     ELSE /\ pc' = [pc EXCEPT ![p] = "judge"]
          /\ saw' = [saw EXCEPT ![p] = [id |-> lock.id, mtime |-> lock.mtime]]
  /\ UNCHANGED <<now, lock, mine, touches, overdue, crashes>>

\* The turn: is what was seen stale by now, by our own clock?
Judge(p) ==
  /\ pc[p] = "judge"
  /\ IF saw[p].mtime + Stale <= Clock(p)
     THEN pc' = [pc EXCEPT ![p] = "rmdir"] /\ UNCHANGED saw
     ELSE pc' = [pc EXCEPT ![p] = "mkdir"] /\ saw' = [saw EXCEPT ![p] = None]
  /\ UNCHANGED <<now, lock, mine, touches, overdue, crashes>>

\* rmdir(lock path), the takeover; ENOENT is as good.  What was seen may have been updated since.
Remove(p) ==
  /\ pc[p] = "rmdir"
  /\ IF lock # Absent /\ lock.id = saw[p].id /\ lock.mtime # saw[p].mtime /\ "OldLook" \in Closed
     THEN UNCHANGED lock
     ELSE Rmdir("TakeoverByPath", saw[p].id)
  /\ saw' = [saw EXCEPT ![p] = None]
  /\ pc' = [pc EXCEPT ![p] = "mkdirAgain"]
  /\ UNCHANGED <<now, mine, touches, overdue, crashes>>

\* The holder's timer: stat(lock path).  Another mtime, or nothing there: compromised.  Else utimes is sent,
\* with the time that it is now.
Check(p) ==
  /\ pc[p] = "holding" /\ touches[p] = None
  /\ IF lock # Absent /\ lock.mtime = mine[p].mtime
     THEN /\ touches' = [touches EXCEPT ![p] = [id |-> mine[p].id, mtime |-> Clock(p)]]
          /\ UNCHANGED <<mine, pc>>
     ELSE /\ pc' = [pc EXCEPT ![p] = "lost"]
          /\ mine' = [mine EXCEPT ![p] = None]
          /\ UNCHANGED touches
  /\ UNCHANGED <<now, lock, saw, overdue, crashes>>

\* utimes(lock path), effect and turn.  A release does not wait for it, so it may come after one.
Touch(p) ==
  LET hits == lock # Absent /\ ("TouchByPath" \in Closed => lock.id = touches[p].id)
      holds == pc[p] = "holding" /\ mine[p].id = touches[p].id
  IN
  /\ touches[p] # None
  /\ touches' = [touches EXCEPT ![p] = None]
  /\ lock' = IF hits THEN [lock EXCEPT !.mtime = touches[p].mtime] ELSE lock
  /\ CASE holds /\ hits -> mine' = [mine EXCEPT ![p].mtime = touches[p].mtime] /\ UNCHANGED pc
       [] holds /\ ~hits -> mine' = [mine EXCEPT ![p] = None] /\ pc' = [pc EXCEPT ![p] = "lost"]
       [] ~holds -> UNCHANGED <<mine, pc>>
  /\ UNCHANGED <<now, saw, overdue, crashes>>

\* unlock(file): not held any more; the removal is sent.  Nothing is looked at.
Release(p) ==
  /\ pc[p] = "holding"
  /\ pc' = [pc EXCEPT ![p] = "unlock"]
  /\ UNCHANGED <<now, lock, saw, mine, touches, overdue, crashes>>

\* rmdir(lock path), the release.
Unlock(p) ==
  /\ pc[p] = "unlock"
  /\ Rmdir("ReleaseByPath", mine[p].id)
  /\ mine' = [mine EXCEPT ![p] = None]
  /\ pc' = [pc EXCEPT ![p] = "idle"]
  /\ UNCHANGED <<now, saw, touches, overdue, crashes>>

-----------------------------------------------------------------------------
(* The environment *)

\* SIGKILL; calls that were sent do not happen.
Crash(p) ==
  /\ pc[p] # "dead" /\ crashes > 0
  /\ crashes' = crashes - 1
  /\ saw' = [saw EXCEPT ![p] = None]
  /\ mine' = [mine EXCEPT ![p] = None]
  /\ touches' = [touches EXCEPT ![p] = None]
  /\ pc' = [pc EXCEPT ![p] = "dead"]
  /\ UNCHANGED <<now, lock, overdue>>

\* Time passes.  That a process is stopped, or its event loop is busy, shows as time that passes meanwhile.
Tick ==
  LET late == {p \in Procs : IsMine(p) /\ lock.mtime + Stale <= now + 1} IN
  /\ now < MaxTime
  /\ "owners" \in Slow \/ late = {}
  /\ "contenders" \in Slow \/ \A p \in Procs : pc[p] \notin {"judge", "rmdir"}
  /\ now' = now + 1
  /\ overdue' = overdue \cup late
  /\ UNCHANGED <<lock, saw, mine, touches, pc, crashes>>

Next ==
  \/ \E p \in Procs : \/ Request(p) \/ Mkdir(p) \/ Probe(p) \/ Undo(p) \/ Stat(p) \/ Judge(p) \/ Remove(p)
                      \/ Check(p) \/ Touch(p) \/ Release(p) \/ Unlock(p)
                      \/ Crash(p)
  \/ Tick

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Safety *)

Holders == {p \in Procs : pc[p] = "holding"}

TypeOK ==
  /\ now \in 0 .. MaxTime
  /\ \/ lock = Absent
     \/ lock \in [by : Procs, id : 1 .. MaxIds, mtime : 0 .. MaxTime + Stale]
  /\ \A p \in Procs :
       /\ saw[p] = None \/ saw[p] \in [id : 1 .. MaxIds, mtime : 0 .. MaxTime + Stale]
       /\ mine[p] = None \/ mine[p] \in [id : 1 .. MaxIds, mtime : 0 .. MaxTime + Stale]
       /\ touches[p] = None \/ touches[p] \in [id : 1 .. MaxIds, mtime : 0 .. MaxTime + Stale]
  /\ overdue \subseteq Procs
  /\ pc \in [Procs -> PCs]
  /\ crashes \in 0 .. MaxCrashes

\* An id for every mkdir: the finite stock of ids hides nothing.
FreshIdsSuffice == FreshIds # {}

\* Two processes never hold at the same time.
MutualExclusion == Cardinality(Holders) <= 1

\* What a lease can give at most: two that were both in time never hold at the same time.
PunctualExclusion == Cardinality(Holders \ overdue) <= 1

\* Who is told that it has lost the lock was late.
OnlyTheOverdueLose == \A p \in Procs : pc[p] = "lost" => p \in overdue
=============================================================================

-------------------------------- MODULE Lock --------------------------------
(***************************************************************************)
(* What a lock is, when its owners may die holding it.                     *)
(*                                                                         *)
(* Question asked: what may a client rely on, and nothing about how.       *)
(*                                                                         *)
(* A lock is owned by one incarnation of a process at a time (an           *)
(* incarnation is one life of a process: a pid that is used again is a     *)
(* new incarnation).  The tasks of the owner use it, one at a time unless  *)
(* all of them asked to share (ReentrantTasks).  Owning and using are      *)
(* apart on purpose: OwnerDirectory.tla maps owning to what is on the      *)
(* disk, and using to what the process believes.  Whoever believes it      *)
(* without the disk violates Enter, HandOver or Release.                   *)
(*                                                                         *)
(* Checked by:  MCLock.cfg (by itself), and as the property Refinement of  *)
(*              every OwnerDirectory configuration that is meant to hold.  *)
(* Not modelled here: waiting, fairness, time.  Who gets the lock next,    *)
(* and that somebody does, is said in OwnerDirectory.tla.                  *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Procs,          \* processes, by pid
  Tasks,          \* the tasks that use the lock
  ProcOf,         \* ProcOf[t]: the process that runs task t
  ReentrantTasks, \* the tasks that asked to share with tasks of their own process
  None            \* nobody

VARIABLES
  owner,  \* the incarnation <<p, i>> that owns the lock, or None
  users,  \* the tasks that may write
  alive,  \* the processes that are running
  inc     \* inc[p]: the number of the present, or last, incarnation of p

vars == <<owner, users, alive, inc>>

Incarnation(p) == <<p, inc[p]>>
Lives(i) == i[1] \in alive /\ inc[i[1]] = i[2]

\* Several users at a time only if all of them asked for it.
Compatible(T) == Cardinality(T) <= 1 \/ T \subseteq ReentrantTasks

TypeOK ==
  /\ alive \subseteq Procs
  /\ inc \in [Procs -> Nat]
  /\ owner = None \/ (owner[1] \in Procs /\ owner[2] \in 1 .. inc[owner[1]])
  /\ users \subseteq Tasks

\* Writers are tasks of the living owner, and compatible: mutual exclusion.
MutualExclusion ==
  /\ Compatible(users)
  /\ users # {} => owner # None /\ Lives(owner)
  /\ \A t \in users : owner[1] = ProcOf[t]

Init ==
  /\ owner = None
  /\ users = {}
  /\ alive = Procs
  /\ inc = [p \in Procs |-> 1]

\* The lock becomes owned.  A call that was sent may take effect after its process has died, so the
\* owner may be dead from the start; Reclaim is what helps then.
Acquire(p) ==
  /\ owner = None
  /\ \E i \in 1 .. inc[p] : owner' = <<p, i>>
  /\ UNCHANGED <<users, alive, inc>>

\* Tasks of the living owner begin to use it.
Enter(T) ==
  /\ T # {}
  /\ owner # None /\ Lives(owner)
  /\ \A t \in T : ProcOf[t] = owner[1]
  /\ T \cap users = {}
  /\ Compatible(users \cup T)
  /\ users' = users \cup T
  /\ UNCHANGED <<owner, alive, inc>>

Leave(t) ==
  /\ t \in users
  /\ users' = users \ {t}
  /\ UNCHANGED <<owner, alive, inc>>

\* From one task to others of the same process, without going back to free.
HandOver(t, T) ==
  /\ users = {t}
  /\ T # {} /\ t \notin T
  /\ \A u \in T : ProcOf[u] = ProcOf[t]
  /\ Compatible(T)
  /\ users' = T
  /\ UNCHANGED <<owner, alive, inc>>

\* Only when nobody uses it any more.
Release ==
  /\ owner # None /\ Lives(owner)
  /\ users = {}
  /\ owner' = None
  /\ UNCHANGED <<users, alive, inc>>

\* Takeover: only from the dead.
Reclaim ==
  /\ owner # None /\ ~Lives(owner)
  /\ owner' = None
  /\ UNCHANGED <<users, alive, inc>>

\* A process dies with all its tasks, and does not let go of the lock.
Crash(p) ==
  /\ p \in alive
  /\ alive' = alive \ {p}
  /\ users' = {t \in users : ProcOf[t] # p}
  /\ UNCHANGED <<owner, inc>>

\* The pid is used again, by a new process.
Start(p) ==
  /\ p \notin alive
  /\ alive' = alive \cup {p}
  /\ inc' = [inc EXCEPT ![p] = @ + 1]
  /\ UNCHANGED <<owner, users>>

Next ==
  \/ \E p \in Procs : Acquire(p) \/ Crash(p) \/ Start(p)
  \/ \E T \in SUBSET Tasks : Enter(T)
  \/ \E t \in Tasks : Leave(t) \/ \E T \in SUBSET Tasks : HandOver(t, T)
  \/ Release
  \/ Reclaim

Spec == Init /\ [][Next]_vars

THEOREM Spec => [](TypeOK /\ MutualExclusion)
=============================================================================

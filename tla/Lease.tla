-------------------------------- MODULE Lease --------------------------------
(***************************************************************************)
(* The lease: how an owner whose death cannot be proved is evicted in the  *)
(* end, and what that may cost an owner that lives.                        *)
(*                                                                         *)
(* Question asked: with one clock, the file server's, and readers that     *)
(* live for one look, is there an order of beats, stops, sleeps, crashes   *)
(* and jumps of that clock in which an owner that beats in time loses the  *)
(* lock, or two that were in time hold it?                                 *)
(*                                                                         *)
(* Read spec/lease.md first.  The lock itself is OwnerDirectory.tla; here  *)
(* it is only whose name stands at L.  Everybody's verdict about everybody *)
(* is unknown.  A process has one home, and so one name, and uses it again *)
(* until it was dropped or evicted.                                        *)
(*                                                                         *)
(* Granularity: one action is one system call, or the turn that decides.   *)
(* Two are merged: the Look that finds the name, and the reading of its    *)
(* mark; opening, writing and closing the owner file, where the write is   *)
(* what the server stamps.                                                 *)
(*                                                                         *)
(* Time: one tick is one beat.  A process that runs beats after one tick,  *)
(* and at most one tick late.  A jump moves the server's clock and nobody  *)
(* acts meanwhile: the clock was set, or the whole machine slept.          *)
(*                                                                         *)
(* Properties: see the end.  How to run: npm run tlc -- --list, and look   *)
(* for Lease*.  Each guard can be removed by naming it in Broken; each     *)
(* such configuration must fail.  StopMidTurn and TwoJumps are not guards  *)
(* but assumptions (A8).                                                   *)
(*                                                                         *)
(* Not modelled: Confirm and Restore after a PutBack that moved the home   *)
(* of another (they come too late for whoever was there); queues and       *)
(* hand-overs; beats that fail (they count as missed, so as a stop);       *)
(* marks that are swept (that only costs time).                            *)
(***************************************************************************)
EXTENDS Integers, FiniteSets

CONSTANTS
  Procs,      \* those that hold, each with one home
  Judges,     \* those that wait for the lock, and read
  Stale,      \* ticks without a beat after which a reading is stale
  Wait,       \* ticks between a mark and an eviction
  MaxTime,    \* the clock stops there
  MaxCrashes, \* of processes that hold
  MaxDeaths,  \* of judges: a new one goes on
  MaxJumps,   \* of the server's clock
  Forward,    \*   by so many ticks forward,
  Back,       \*   or back
  MayStop,    \* those that may be stopped
  Prompt,     \* TRUE: in each tick a judge completes a look at whoever stands at L, and no Take is slow
  Broken,     \* the guards, and assumptions, that are removed
  None        \* model value: nobody, nothing

VARIABLES
  now,      \* the file server's clock
  lock,     \* whose name stands at L, or None
  mtime,    \* mtime[p]: when p's owner file was last written, by the server's clock
  mark,     \* mark[p]: None, or the mark beside L about p's owner file: [mtime seen, at: when it was written]
  since,    \* since[p]: ticks since p's last beat, by p's own clock; Longest stands for more
  missed,   \* the processes that know that they missed a beat since they took the lock
  late,     \* the processes that did; for the properties only
  stopped,  \* the processes that are stopped
  pc,       \* pc[p]: where p is
  look,     \* look[j]: None, or what j has read so far
  jpc,      \* jpc[j]: where j is
  looked,   \* with Prompt: a look was completed in this tick
  unsettled,\* the processes that have not beaten since the last jump
  budget    \* what the environment may still do

vars == <<now, lock, mtime, mark, since, missed, late, stopped, pc, look, jpc, looked, unsettled, budget>>

\* A beat is due after one tick, and may be one tick late.
InTime == 2
Longest == InTime + 1

PCs == {"idle", "take", "holding", "putBack", "drop", "gone", "dead"}
JPCs == {"idle", "stat", "probe", "mark", "recheck", "evict"}

Init ==
  /\ now = 0
  /\ lock = None
  /\ mtime = [p \in Procs |-> 0]
  /\ mark = [p \in Procs |-> None]
  /\ since = [p \in Procs |-> 0]
  /\ missed = {}
  /\ late = {}
  /\ stopped = {}
  /\ pc = [p \in Procs |-> "idle"]
  /\ look = [j \in Judges |-> None]
  /\ jpc = [j \in Judges |-> "idle"]
  /\ looked = FALSE
  /\ unsettled = {}
  /\ budget = [crash |-> MaxCrashes, death |-> MaxDeaths, jump |-> MaxJumps]

Runs(p) == p \notin stopped /\ pc[p] \notin {"gone", "dead"}

judging == <<mark, look, jpc, looked>>
beating == <<mtime, since, missed, late, unsettled>>

\* A look is over.  Sets look, jpc, looked.
Ends(j) ==
  /\ jpc' = [jpc EXCEPT ![j] = "idle"]
  /\ look' = [look EXCEPT ![j] = None]
  /\ looked' = Prompt

-----------------------------------------------------------------------------
(* The actions *)

\* The home lay idle: its owner file is written before the Take.
Freshen(p) ==
  /\ pc[p] = "idle" /\ Runs(p) /\ since[p] > 1
  /\ mtime' = [mtime EXCEPT ![p] = now]
  /\ since' = [since EXCEPT ![p] = 0]
  /\ unsettled' = unsettled \ {p}
  /\ UNCHANGED <<now, lock, missed, late, stopped, pc, judging, budget>>

\* The Take is sent, with a home whose last beat is at most a tick old.
Send(p) ==
  /\ pc[p] = "idle" /\ Runs(p)
  /\ since[p] <= 1 \/ "NoBeatBeforeTake" \in Broken
  /\ pc' = [pc EXCEPT ![p] = "take"]
  /\ UNCHANGED <<now, lock, beating, stopped, judging, budget>>

\* rename(home, L), and the turn.  It may have taken long: then a beat was missed.  (Broken: nobody asks how old
\* the home is; the first beat is due a tick after the Take.)
Take(p) ==
  LET old == since[p] > InTime /\ "NoBeatBeforeTake" \notin Broken IN
  /\ pc[p] = "take" /\ Runs(p)
  /\ IF lock = None
     THEN /\ lock' = p
          /\ pc' = [pc EXCEPT ![p] = "holding"]
          /\ missed' = IF old THEN missed \cup {p} ELSE missed \ {p}
          /\ late' = IF old THEN late \cup {p} ELSE late \ {p}
          /\ since' = IF "NoBeatBeforeTake" \in Broken THEN [since EXCEPT ![p] = 0] ELSE since
     ELSE /\ pc' = [pc EXCEPT ![p] = "idle"]
          /\ UNCHANGED <<lock, missed, late, since>>
  /\ UNCHANGED <<now, mtime, unsettled, stopped, judging, budget>>

\* Open L/own, never creating it; write a byte; close.  The server stamps it.  Not there: the holder is told.
Beat(p) ==
  /\ pc[p] = "holding" /\ Runs(p)
  /\ IF lock = p
     THEN /\ mtime' = [mtime EXCEPT ![p] = now]
          /\ since' = [since EXCEPT ![p] = 0]
          /\ missed' = IF "MissForgotten" \in Broken THEN missed \ {p}
                       ELSE IF since[p] > InTime THEN missed \cup {p} ELSE missed
          /\ unsettled' = unsettled \ {p}
          /\ UNCHANGED pc
     ELSE /\ pc' = [pc EXCEPT ![p] = "drop"]
          /\ UNCHANGED <<mtime, since, missed, unsettled>>
  /\ UNCHANGED <<now, lock, late, stopped, judging, budget>>

\* The release.  readdir(L) must be exactly our name, and no beat may be missed, for a PutBack in the same turn.
Release(p) ==
  LET suspect == (p \in missed \/ since[p] > InTime) /\ "PutBackAfterMiss" \notin Broken IN
  /\ pc[p] = "holding" /\ Runs(p)
  /\ pc' = [pc EXCEPT ![p] = IF lock = p /\ ~suspect THEN "putBack" ELSE "drop"]
  /\ UNCHANGED <<now, lock, beating, stopped, judging, budget>>

\* rename(L, home): the only call that is not conditional by name.
PutBack(p) ==
  /\ pc[p] = "putBack" /\ Runs(p)
  /\ lock' = None
  /\ pc' = [pc EXCEPT ![p] = IF lock = p THEN "idle" ELSE "gone"]
  /\ unsettled' = IF lock = p THEN unsettled ELSE unsettled \ {p}
  /\ UNCHANGED <<now, mtime, since, missed, late, stopped, judging, budget>>

\* unlink(L/own).  The name is never held again.
Drop(p) ==
  /\ pc[p] = "drop" /\ Runs(p)
  /\ lock' = IF lock = p THEN None ELSE lock
  /\ pc' = [pc EXCEPT ![p] = "gone"]
  /\ unsettled' = unsettled \ {p}
  /\ UNCHANGED <<now, mtime, since, missed, late, stopped, judging, budget>>

\* readdir(L) shows an owner of whom nothing can be proved; its mark is read.
ReadMark(j) ==
  /\ jpc[j] = "idle" /\ lock # None
  /\ look' = [look EXCEPT ![j] = [owner |-> lock, mark |-> mark[lock], seen |-> 0, at |-> 0]]
  /\ jpc' = [jpc EXCEPT ![j] = "stat"]
  /\ UNCHANGED <<now, lock, beating, stopped, pc, mark, looked, budget>>

\* fstat(L/X).  Before the Probe: a clock that is set back between the two makes the owner younger, not older.
Stat(j) ==
  LET x == look[j].owner IN
  /\ jpc[j] = "stat"
  /\ IF lock = x
     THEN /\ look' = [look EXCEPT ![j].seen = mtime[x]]
          /\ jpc' = [jpc EXCEPT ![j] = "probe"]
          /\ UNCHANGED looked
     ELSE Ends(j)
  /\ UNCHANGED <<now, lock, beating, stopped, pc, mark, budget>>

\* A file of our own is written: the server stamps it with the time that it is there.  The turn decides.
Probe(j) ==
  LET r == look[j]
      today == IF "OwnClock" \in Broken THEN now + Stale + Wait ELSE now
      stale == r.seen + Stale <= today
      same == r.mark # None /\ r.mark.at <= today /\ (r.mark.mtime = r.seen \/ "AnyMark" \in Broken)
      evicts == stale /\ ("EvictOnFirst" \in Broken \/ (same /\ r.mark.at + Wait <= today))
      marks == stale /\ ~evicts /\ ~same
  IN
  /\ jpc[j] = "probe"
  /\ CASE evicts ->
            /\ jpc' = [jpc EXCEPT ![j] = IF "NoRecheck" \in Broken THEN "evict" ELSE "recheck"]
            /\ look' = [look EXCEPT ![j].mark = None]
            /\ UNCHANGED looked
       [] marks ->
            /\ jpc' = [jpc EXCEPT ![j] = "mark"]
            /\ look' = [look EXCEPT ![j].mark = None, ![j].at = now]
            /\ UNCHANGED looked
       [] ~evicts /\ ~marks -> Ends(j)
  /\ UNCHANGED <<now, lock, beating, stopped, pc, mark, budget>>

\* rename(probe, mark): what was seen, and, as its mtime, when.
Mark(j) ==
  LET r == look[j] IN
  /\ jpc[j] = "mark"
  /\ mark' = [mark EXCEPT ![r.owner] = [mtime |-> r.seen, at |-> r.at]]
  /\ Ends(j)
  /\ UNCHANGED <<now, lock, beating, stopped, pc, budget>>

\* fstat(L/X) again, in the turn that evicts: has it beaten meanwhile?
Recheck(j) ==
  LET x == look[j].owner IN
  /\ jpc[j] = "recheck"
  /\ IF lock = x /\ mtime[x] = look[j].seen
     THEN /\ jpc' = [jpc EXCEPT ![j] = "evict"]
          /\ UNCHANGED <<look, looked>>
     ELSE Ends(j)
  /\ UNCHANGED <<now, lock, beating, stopped, pc, mark, budget>>

\* unlink(L/X).
Evict(j) ==
  LET x == look[j].owner IN
  /\ jpc[j] = "evict"
  /\ lock' = IF lock = x THEN None ELSE lock
  /\ Ends(j)
  /\ UNCHANGED <<now, beating, stopped, pc, mark, budget>>

-----------------------------------------------------------------------------
(* The environment *)

\* SIGSTOP, a debugger, the sleep of a machine that is not the judge's.  Not between Check and PutBack (A8).
Stop(p) ==
  /\ pc[p] \in {"idle", "take", "holding", "drop"} \/ (pc[p] = "putBack" /\ "StopMidTurn" \in Broken)
  /\ p \in MayStop \ stopped
  /\ stopped' = stopped \cup {p}
  /\ UNCHANGED <<now, lock, beating, pc, judging, budget>>

Continue(p) ==
  /\ p \in stopped /\ pc[p] # "dead"
  /\ stopped' = stopped \ {p}
  /\ UNCHANGED <<now, lock, beating, pc, judging, budget>>

Crash(p) ==
  /\ pc[p] \notin {"gone", "dead"} /\ budget.crash > 0
  /\ budget' = [budget EXCEPT !.crash = @ - 1]
  /\ pc' = [pc EXCEPT ![p] = "dead"]
  /\ stopped' = stopped \ {p}
  /\ unsettled' = unsettled \ {p}
  /\ UNCHANGED <<now, lock, mtime, since, missed, late, judging>>

\* A judge ends in the middle; another one, who remembers nothing, comes in its place.
Die(j) ==
  /\ jpc[j] # "idle" /\ budget.death > 0
  /\ budget' = [budget EXCEPT !.death = @ - 1]
  /\ jpc' = [jpc EXCEPT ![j] = "idle"]
  /\ look' = [look EXCEPT ![j] = None]
  /\ UNCHANGED <<now, lock, beating, stopped, pc, mark, looked>>

\* The marks that a judge keeps in its head, if it does, go with it.
Forget(j) ==
  /\ "MarkInMemory" \in Broken
  /\ jpc[j] = "idle"
  /\ mark' = [p \in Procs |-> None]
  /\ mark' # mark
  /\ UNCHANGED <<now, lock, beating, stopped, pc, look, jpc, looked, budget>>

HoldsOn(p) == pc[p] \in {"holding", "putBack"}

\* A tick passes for everybody.  Whoever runs beats in time.
Tick ==
  /\ now < MaxTime
  /\ \A p \in Procs : HoldsOn(p) /\ Runs(p) => since[p] < InTime
  /\ Prompt => /\ lock = None \/ looked
              /\ \A j \in Judges : jpc[j] = "idle"
              /\ \A p \in Procs : pc[p] = "take" => since[p] < InTime
  /\ now' = now + 1
  /\ since' = [p \in Procs |-> IF pc[p] \in {"gone", "dead"} \/ since[p] = Longest THEN since[p]
                               ELSE since[p] + 1]
  /\ late' = late \cup {p \in Procs : HoldsOn(p) /\ since'[p] > InTime}
  /\ looked' = FALSE
  /\ UNCHANGED <<lock, mtime, mark, missed, stopped, pc, look, jpc, unsettled, budget>>

\* The server's clock is another one.  Not again before everybody has beaten (A8).
Jump ==
  /\ budget.jump > 0
  /\ unsettled = {} \/ "TwoJumps" \in Broken
  /\ budget' = [budget EXCEPT !.jump = @ - 1]
  /\ now' \in {now + d : d \in Forward} \cup {now - d : d \in Back}
  /\ now' \in 0 .. MaxTime
  /\ unsettled' = {p \in Procs : pc[p] \notin {"gone", "dead"}}
  /\ UNCHANGED <<lock, mtime, since, missed, late, stopped, pc, judging>>

\* Every name is used up: the only end.
Finished ==
  /\ \A p \in Procs : pc[p] \in {"gone", "dead"}
  /\ \A j \in Judges : jpc[j] = "idle"
  /\ UNCHANGED vars

Next ==
  \/ \E p \in Procs : \/ Freshen(p) \/ Send(p) \/ Take(p) \/ Beat(p) \/ Release(p) \/ PutBack(p) \/ Drop(p)
                      \/ Stop(p) \/ Continue(p) \/ Crash(p)
  \/ \E j \in Judges : \/ ReadMark(j) \/ Stat(j) \/ Probe(j) \/ Mark(j) \/ Recheck(j) \/ Evict(j)
                       \/ Die(j) \/ Forget(j)
  \/ Tick
  \/ Jump
  \/ Finished

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Safety *)

TypeOK ==
  /\ now \in 0 .. MaxTime
  /\ lock \in Procs \cup {None}
  /\ mtime \in [Procs -> 0 .. MaxTime]
  /\ \A p \in Procs : mark[p] = None \/ mark[p] \in [mtime : 0 .. MaxTime, at : 0 .. MaxTime]
  /\ since \in [Procs -> 0 .. Longest]
  /\ missed \subseteq Procs
  /\ late \subseteq Procs
  /\ stopped \subseteq Procs
  /\ pc \in [Procs -> PCs]
  /\ jpc \in [Judges -> JPCs]
  /\ \A j \in Judges : look[j] = None <=> jpc[j] = "idle"
  /\ looked \in BOOLEAN
  /\ unsettled \subseteq Procs
  /\ budget \in [crash : 0 .. MaxCrashes, death : 0 .. MaxDeaths, jump : 0 .. MaxJumps]

\* Who beats in time keeps the lock: whoever believes to hold it and does not was late.
OnlyTheLateLose == \A p \in Procs : HoldsOn(p) /\ lock # p => p \in late

\* Two that were in time never hold at the same time, whatever those do that were late.
InnocentExclusion == Cardinality({p \in Procs : HoldsOn(p) /\ p \notin late}) <= 1

\* With Prompt: an owner that is dead, or stopped, goes in the end, and this is how soon.
GoneInTime == lock # None => now - mtime[lock] <= Stale + Wait
=============================================================================

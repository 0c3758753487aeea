---------------------------- MODULE MCMkdirMtime -----------------------------
(* MkdirMtime with every action named after its process, for `npm run graph`: see MCGraph.tla. *)
EXTENDS MkdirMtime

Request_a == "a" \in Procs /\ Request("a")
Request_b == "b" \in Procs /\ Request("b")

Mkdir_a == "a" \in Procs /\ Mkdir("a")
Mkdir_b == "b" \in Procs /\ Mkdir("b")

Probe_a == "a" \in Procs /\ Probe("a")
Probe_b == "b" \in Procs /\ Probe("b")

Undo_a == "a" \in Procs /\ Undo("a")
Undo_b == "b" \in Procs /\ Undo("b")

Stat_a == "a" \in Procs /\ Stat("a")
Stat_b == "b" \in Procs /\ Stat("b")

Judge_a == "a" \in Procs /\ Judge("a")
Judge_b == "b" \in Procs /\ Judge("b")

Remove_a == "a" \in Procs /\ Remove("a")
Remove_b == "b" \in Procs /\ Remove("b")

Check_a == "a" \in Procs /\ Check("a")
Check_b == "b" \in Procs /\ Check("b")

Touch_a == "a" \in Procs /\ Touch("a")
Touch_b == "b" \in Procs /\ Touch("b")

Release_a == "a" \in Procs /\ Release("a")
Release_b == "b" \in Procs /\ Release("b")

Unlock_a == "a" \in Procs /\ Unlock("a")
Unlock_b == "b" \in Procs /\ Unlock("b")

Crash_a == "a" \in Procs /\ Crash("a")
Crash_b == "b" \in Procs /\ Crash("b")

GraphNext ==
  \/ Request_a \/ Mkdir_a \/ Probe_a \/ Undo_a \/ Stat_a \/ Judge_a \/ Remove_a \/ Check_a
  \/ Touch_a \/ Release_a \/ Unlock_a \/ Crash_a
  \/ Request_b \/ Mkdir_b \/ Probe_b \/ Undo_b \/ Stat_b \/ Judge_b \/ Remove_b \/ Check_b
  \/ Touch_b \/ Release_b \/ Unlock_b \/ Crash_b
  \/ Tick

GraphSpec == Init /\ [][GraphNext]_vars
==============================================================================

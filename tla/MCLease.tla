------------------------------- MODULE MCLease -------------------------------
(* Lease with every action named after its process, for `npm run graph`: see MCGraph.tla. *)
EXTENDS Lease

Freshen_a == "a" \in Procs /\ Freshen("a")
Send_a == "a" \in Procs /\ Send("a")
Take_a == "a" \in Procs /\ Take("a")
Beat_a == "a" \in Procs /\ Beat("a")
Release_a == "a" \in Procs /\ Release("a")
PutBack_a == "a" \in Procs /\ PutBack("a")
Drop_a == "a" \in Procs /\ Drop("a")
Stop_a == "a" \in Procs /\ Stop("a")
Continue_a == "a" \in Procs /\ Continue("a")
Crash_a == "a" \in Procs /\ Crash("a")

ReadMark_j == "j" \in Judges /\ ReadMark("j")
Stat_j == "j" \in Judges /\ Stat("j")
Probe_j == "j" \in Judges /\ Probe("j")
Mark_j == "j" \in Judges /\ Mark("j")
Recheck_j == "j" \in Judges /\ Recheck("j")
Evict_j == "j" \in Judges /\ Evict("j")
Die_j == "j" \in Judges /\ Die("j")
Forget_j == "j" \in Judges /\ Forget("j")

GraphNext ==
  \/ Freshen_a \/ Send_a \/ Take_a \/ Beat_a \/ Release_a \/ PutBack_a \/ Drop_a \/ Stop_a \/ Continue_a \/ Crash_a
  \/ ReadMark_j \/ Stat_j \/ Probe_j \/ Mark_j \/ Recheck_j \/ Evict_j \/ Die_j \/ Forget_j
  \/ Tick \/ Jump \/ Finished

GraphSpec == Init /\ [][GraphNext]_vars
==============================================================================

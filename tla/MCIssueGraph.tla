---------------------------- MODULE MCIssueGraph ----------------------------
(* IssueLock with every action named after its task, watchdog or process, as MCGraph does for            *)
(* OwnerDirectory.  Same states and steps as Spec.                                                       *)
EXTENDS MCIssueLock

Request_a1 == "a1" \in Tasks /\ Request("a1")
Request_a2 == "a2" \in Tasks /\ Request("a2")
Request_b1 == "b1" \in Tasks /\ Request("b1")

Open_a1 == "a1" \in Tasks /\ Open("a1")
Open_a2 == "a2" \in Tasks /\ Open("a2")
Open_b1 == "b1" \in Tasks /\ Open("b1")

Opened_a1 == "a1" \in Tasks /\ Opened("a1")
Opened_a2 == "a2" \in Tasks /\ Opened("a2")
Opened_b1 == "b1" \in Tasks /\ Opened("b1")

Write_a1 == "a1" \in Tasks /\ Write("a1")
Write_a2 == "a2" \in Tasks /\ Write("a2")
Write_b1 == "b1" \in Tasks /\ Write("b1")

Granted_a1 == "a1" \in Tasks /\ Granted("a1")
Granted_a2 == "a2" \in Tasks /\ Granted("a2")
Granted_b1 == "b1" \in Tasks /\ Granted("b1")

Refused_a1 == "a1" \in Tasks /\ Refused("a1")
Refused_a2 == "a2" \in Tasks /\ Refused("a2")
Refused_b1 == "b1" \in Tasks /\ Refused("b1")

Read_a1 == "a1" \in Tasks /\ Read("a1")
Read_a2 == "a2" \in Tasks /\ Read("a2")
Read_b1 == "b1" \in Tasks /\ Read("b1")

Judge_a1 == "a1" \in Tasks /\ Judge("a1")
Judge_a2 == "a2" \in Tasks /\ Judge("a2")
Judge_b1 == "b1" \in Tasks /\ Judge("b1")

Stat_a1 == "a1" \in Tasks /\ Stat("a1")
Stat_a2 == "a2" \in Tasks /\ Stat("a2")
Stat_b1 == "b1" \in Tasks /\ Stat("b1")

JudgeAge_a1 == "a1" \in Tasks /\ JudgeAge("a1")
JudgeAge_a2 == "a2" \in Tasks /\ JudgeAge("a2")
JudgeAge_b1 == "b1" \in Tasks /\ JudgeAge("b1")

Reclaim_a1 == "a1" \in Tasks /\ Reclaim("a1")
Reclaim_a2 == "a2" \in Tasks /\ Reclaim("a2")
Reclaim_b1 == "b1" \in Tasks /\ Reclaim("b1")

Reclaimed_a1 == "a1" \in Tasks /\ Reclaimed("a1")
Reclaimed_a2 == "a2" \in Tasks /\ Reclaimed("a2")
Reclaimed_b1 == "b1" \in Tasks /\ Reclaimed("b1")

Wake_a1 == "a1" \in Tasks /\ Wake("a1")
Wake_a2 == "a2" \in Tasks /\ Wake("a2")
Wake_b1 == "b1" \in Tasks /\ Wake("b1")

GiveUp_a1 == "a1" \in Tasks /\ GiveUp("a1")
GiveUp_a2 == "a2" \in Tasks /\ GiveUp("a2")
GiveUp_b1 == "b1" \in Tasks /\ GiveUp("b1")

Release_a1 == "a1" \in Tasks /\ Release("a1")
Release_a2 == "a2" \in Tasks /\ Release("a2")
Release_b1 == "b1" \in Tasks /\ Release("b1")

ReleaseAgain_a1 == "a1" \in Tasks /\ ReleaseAgain("a1")
ReleaseAgain_a2 == "a2" \in Tasks /\ ReleaseAgain("a2")
ReleaseAgain_b1 == "b1" \in Tasks /\ ReleaseAgain("b1")

Close_a1 == "a1" \in Agents /\ Close("a1")
Close_a2 == "a2" \in Agents /\ Close("a2")
Close_b1 == "b1" \in Agents /\ Close("b1")
Close_a == "a" \in Agents /\ Close("a")
Close_b == "b" \in Agents /\ Close("b")

Closed_a1 == "a1" \in Agents /\ Closed("a1")
Closed_a2 == "a2" \in Agents /\ Closed("a2")
Closed_b1 == "b1" \in Agents /\ Closed("b1")
Closed_a == "a" \in Agents /\ Closed("a")
Closed_b == "b" \in Agents /\ Closed("b")

Remove_a1 == "a1" \in Agents /\ Remove("a1")
Remove_a2 == "a2" \in Agents /\ Remove("a2")
Remove_b1 == "b1" \in Agents /\ Remove("b1")
Remove_a == "a" \in Agents /\ Remove("a")
Remove_b == "b" \in Agents /\ Remove("b")

Released_a1 == "a1" \in Agents /\ Released("a1")
Released_a2 == "a2" \in Agents /\ Released("a2")
Released_b1 == "b1" \in Agents /\ Released("b1")
Released_a == "a" \in Agents /\ Released("a")
Released_b == "b" \in Agents /\ Released("b")

Sweep_a1 == "a1" \in Tasks /\ Sweep("a1")
Sweep_a2 == "a2" \in Tasks /\ Sweep("a2")
Sweep_b1 == "b1" \in Tasks /\ Sweep("b1")

Expire_a == "a" \in Procs /\ Expire("a")
Expire_b == "b" \in Procs /\ Expire("b")

ExitHook_a == "a" \in Procs /\ ExitHook("a")
ExitHook_b == "b" \in Procs /\ ExitHook("b")

Crash_a == "a" \in Procs /\ Crash("a")
Crash_b == "b" \in Procs /\ Crash("b")

Start_a == "a" \in Procs /\ Start("a")
Start_b == "b" \in Procs /\ Start("b")

Age_any == TRUE /\ Age

GraphNext ==
  \/ Request_a1 \/ Request_a2 \/ Request_b1 \/ Open_a1 \/ Open_a2 \/ Open_b1 \/ Opened_a1
  \/ Opened_a2 \/ Opened_b1 \/ Write_a1 \/ Write_a2 \/ Write_b1 \/ Granted_a1 \/ Granted_a2
  \/ Granted_b1 \/ Refused_a1 \/ Refused_a2 \/ Refused_b1 \/ Read_a1 \/ Read_a2 \/ Read_b1
  \/ Judge_a1 \/ Judge_a2 \/ Judge_b1 \/ Stat_a1 \/ Stat_a2 \/ Stat_b1 \/ JudgeAge_a1 \/ JudgeAge_a2
  \/ JudgeAge_b1 \/ Reclaim_a1 \/ Reclaim_a2 \/ Reclaim_b1 \/ Reclaimed_a1 \/ Reclaimed_a2
  \/ Reclaimed_b1 \/ Wake_a1 \/ Wake_a2 \/ Wake_b1 \/ GiveUp_a1 \/ GiveUp_a2 \/ GiveUp_b1
  \/ Release_a1 \/ Release_a2 \/ Release_b1 \/ ReleaseAgain_a1 \/ ReleaseAgain_a2 \/ ReleaseAgain_b1
  \/ Close_a1 \/ Close_a2 \/ Close_b1 \/ Close_a \/ Close_b \/ Closed_a1 \/ Closed_a2 \/ Closed_b1
  \/ Closed_a \/ Closed_b \/ Remove_a1 \/ Remove_a2 \/ Remove_b1 \/ Remove_a \/ Remove_b
  \/ Released_a1 \/ Released_a2 \/ Released_b1 \/ Released_a \/ Released_b \/ Sweep_a1 \/ Sweep_a2
  \/ Sweep_b1 \/ Expire_a \/ Expire_b \/ ExitHook_a \/ ExitHook_b \/ Crash_a \/ Crash_b \/ Start_a
  \/ Start_b \/ Age_any

GraphSpec == Init /\ [][GraphNext]_vars
=============================================================================

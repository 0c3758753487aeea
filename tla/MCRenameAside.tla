---------------------------- MODULE MCRenameAside ----------------------------
(* RenameAside with every action named after its process, for `npm run graph`: see MCGraph.tla. *)
EXTENDS RenameAside

Request_a == "a" \in Procs /\ Request("a")
Request_b == "b" \in Procs /\ Request("b")

Create_a == "a" \in Procs /\ Create("a")
Create_b == "b" \in Procs /\ Create("b")

Read_a == "a" \in Procs /\ Read("a")
Read_b == "b" \in Procs /\ Read("b")

Judge_a == "a" \in Procs /\ Judge("a")
Judge_b == "b" \in Procs /\ Judge("b")

Reread_a == "a" \in Procs /\ Reread("a")
Reread_b == "b" \in Procs /\ Reread("b")

Move_a == "a" \in Procs /\ Move("a")
Move_b == "b" \in Procs /\ Move("b")

Verify_a == "a" \in Procs /\ Verify("a")
Verify_b == "b" \in Procs /\ Verify("b")

Discard_a == "a" \in Procs /\ Discard("a")
Discard_b == "b" \in Procs /\ Discard("b")

PutBack_a == "a" \in Procs /\ PutBack("a")
PutBack_b == "b" \in Procs /\ PutBack("b")

Tidy_a == "a" \in Procs /\ Tidy("a")
Tidy_b == "b" \in Procs /\ Tidy("b")

Release_a == "a" \in Procs /\ Release("a")
Release_b == "b" \in Procs /\ Release("b")

Check_a == "a" \in Procs /\ Check("a")
Check_b == "b" \in Procs /\ Check("b")

Unlink_a == "a" \in Procs /\ Unlink("a")
Unlink_b == "b" \in Procs /\ Unlink("b")

Crash_a == "a" \in Procs /\ Crash("a")
Crash_b == "b" \in Procs /\ Crash("b")

Start_a == "a" \in Procs /\ Start("a")
Start_b == "b" \in Procs /\ Start("b")

GraphNext ==
  \/ Request_a \/ Create_a \/ Read_a \/ Judge_a \/ Reread_a \/ Move_a \/ Verify_a \/ Discard_a
  \/ PutBack_a \/ Tidy_a \/ Release_a \/ Check_a \/ Unlink_a \/ Crash_a \/ Start_a
  \/ Request_b \/ Create_b \/ Read_b \/ Judge_b \/ Reread_b \/ Move_b \/ Verify_b \/ Discard_b
  \/ PutBack_b \/ Tidy_b \/ Release_b \/ Check_b \/ Unlink_b \/ Crash_b \/ Start_b

GraphSpec == Init /\ [][GraphNext]_vars
==============================================================================

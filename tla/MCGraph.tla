------------------------------ MODULE MCGraph ------------------------------
(* OwnerDirectory with every action named after its task or process, for `npm run graph`: the labels of *)
(* TLC's dump carry no parameters, but a conjunction with a name of its own keeps that name.  Same     *)
(* states and steps as Spec; what labels leave out (which name, which late call) the states tell.      *)
EXTENDS MCOwnerDirectory

Request_a1 == "a1" \in Tasks /\ Request("a1")
Request_a2 == "a2" \in Tasks /\ Request("a2")
Request_a3 == "a3" \in Tasks /\ Request("a3")
Request_b1 == "b1" \in Tasks /\ Request("b1")
Request_b2 == "b2" \in Tasks /\ Request("b2")

Prepare_a1 == "a1" \in Tasks /\ Prepare("a1")
Prepare_a2 == "a2" \in Tasks /\ Prepare("a2")
Prepare_a3 == "a3" \in Tasks /\ Prepare("a3")
Prepare_b1 == "b1" \in Tasks /\ Prepare("b1")
Prepare_b2 == "b2" \in Tasks /\ Prepare("b2")

Take_a1 == "a1" \in Tasks /\ Take("a1")
Take_a2 == "a2" \in Tasks /\ Take("a2")
Take_a3 == "a3" \in Tasks /\ Take("a3")
Take_b1 == "b1" \in Tasks /\ Take("b1")
Take_b2 == "b2" \in Tasks /\ Take("b2")

Verify_a1 == "a1" \in Tasks /\ Verify("a1")
Verify_a2 == "a2" \in Tasks /\ Verify("a2")
Verify_a3 == "a3" \in Tasks /\ Verify("a3")
Verify_b1 == "b1" \in Tasks /\ Verify("b1")
Verify_b2 == "b2" \in Tasks /\ Verify("b2")

Granted_a1 == "a1" \in Tasks /\ Granted("a1")
Granted_a2 == "a2" \in Tasks /\ Granted("a2")
Granted_a3 == "a3" \in Tasks /\ Granted("a3")
Granted_b1 == "b1" \in Tasks /\ Granted("b1")
Granted_b2 == "b2" \in Tasks /\ Granted("b2")

Refused_a1 == "a1" \in Tasks /\ Refused("a1")
Refused_a2 == "a2" \in Tasks /\ Refused("a2")
Refused_a3 == "a3" \in Tasks /\ Refused("a3")
Refused_b1 == "b1" \in Tasks /\ Refused("b1")
Refused_b2 == "b2" \in Tasks /\ Refused("b2")

Look_a1 == "a1" \in Tasks /\ Look("a1")
Look_a2 == "a2" \in Tasks /\ Look("a2")
Look_a3 == "a3" \in Tasks /\ Look("a3")
Look_b1 == "b1" \in Tasks /\ Look("b1")
Look_b2 == "b2" \in Tasks /\ Look("b2")

Judge_a1 == "a1" \in Tasks /\ Judge("a1")
Judge_a2 == "a2" \in Tasks /\ Judge("a2")
Judge_a3 == "a3" \in Tasks /\ Judge("a3")
Judge_b1 == "b1" \in Tasks /\ Judge("b1")
Judge_b2 == "b2" \in Tasks /\ Judge("b2")

Evict_a1 == "a1" \in Tasks /\ Evict("a1")
Evict_a2 == "a2" \in Tasks /\ Evict("a2")
Evict_a3 == "a3" \in Tasks /\ Evict("a3")
Evict_b1 == "b1" \in Tasks /\ Evict("b1")
Evict_b2 == "b2" \in Tasks /\ Evict("b2")

Clear_a1 == "a1" \in Tasks /\ Clear("a1")
Clear_a2 == "a2" \in Tasks /\ Clear("a2")
Clear_a3 == "a3" \in Tasks /\ Clear("a3")
Clear_b1 == "b1" \in Tasks /\ Clear("b1")
Clear_b2 == "b2" \in Tasks /\ Clear("b2")

Wake_a1 == "a1" \in Tasks /\ Wake("a1")
Wake_a2 == "a2" \in Tasks /\ Wake("a2")
Wake_a3 == "a3" \in Tasks /\ Wake("a3")
Wake_b1 == "b1" \in Tasks /\ Wake("b1")
Wake_b2 == "b2" \in Tasks /\ Wake("b2")

GiveUp_a1 == "a1" \in Tasks /\ GiveUp("a1")
GiveUp_a2 == "a2" \in Tasks /\ GiveUp("a2")
GiveUp_a3 == "a3" \in Tasks /\ GiveUp("a3")
GiveUp_b1 == "b1" \in Tasks /\ GiveUp("b1")
GiveUp_b2 == "b2" \in Tasks /\ GiveUp("b2")

LetGo_a1 == "a1" \in Tasks /\ LetGo("a1")
LetGo_a2 == "a2" \in Tasks /\ LetGo("a2")
LetGo_a3 == "a3" \in Tasks /\ LetGo("a3")
LetGo_b1 == "b1" \in Tasks /\ LetGo("b1")
LetGo_b2 == "b2" \in Tasks /\ LetGo("b2")

Release_a1 == "a1" \in Tasks /\ Release("a1")
Release_a2 == "a2" \in Tasks /\ Release("a2")
Release_a3 == "a3" \in Tasks /\ Release("a3")
Release_b1 == "b1" \in Tasks /\ Release("b1")
Release_b2 == "b2" \in Tasks /\ Release("b2")

Expire_a1 == "a1" \in Tasks /\ Expire("a1")
Expire_a2 == "a2" \in Tasks /\ Expire("a2")
Expire_a3 == "a3" \in Tasks /\ Expire("a3")
Expire_b1 == "b1" \in Tasks /\ Expire("b1")
Expire_b2 == "b2" \in Tasks /\ Expire("b2")

Check_a1 == "a1" \in Tasks /\ Check("a1")
Check_a2 == "a2" \in Tasks /\ Check("a2")
Check_a3 == "a3" \in Tasks /\ Check("a3")
Check_b1 == "b1" \in Tasks /\ Check("b1")
Check_b2 == "b2" \in Tasks /\ Check("b2")

PutBack_a1 == "a1" \in Tasks /\ PutBack("a1")
PutBack_a2 == "a2" \in Tasks /\ PutBack("a2")
PutBack_a3 == "a3" \in Tasks /\ PutBack("a3")
PutBack_b1 == "b1" \in Tasks /\ PutBack("b1")
PutBack_b2 == "b2" \in Tasks /\ PutBack("b2")

Confirm_a1 == "a1" \in Tasks /\ Confirm("a1")
Confirm_a2 == "a2" \in Tasks /\ Confirm("a2")
Confirm_a3 == "a3" \in Tasks /\ Confirm("a3")
Confirm_b1 == "b1" \in Tasks /\ Confirm("b1")
Confirm_b2 == "b2" \in Tasks /\ Confirm("b2")

Restore_a1 == "a1" \in Tasks /\ Restore("a1")
Restore_a2 == "a2" \in Tasks /\ Restore("a2")
Restore_a3 == "a3" \in Tasks /\ Restore("a3")
Restore_b1 == "b1" \in Tasks /\ Restore("b1")
Restore_b2 == "b2" \in Tasks /\ Restore("b2")

Drop_a1 == "a1" \in Tasks /\ Drop("a1")
Drop_a2 == "a2" \in Tasks /\ Drop("a2")
Drop_a3 == "a3" \in Tasks /\ Drop("a3")
Drop_b1 == "b1" \in Tasks /\ Drop("b1")
Drop_b2 == "b2" \in Tasks /\ Drop("b2")

Released_a1 == "a1" \in Tasks /\ Released("a1")
Released_a2 == "a2" \in Tasks /\ Released("a2")
Released_a3 == "a3" \in Tasks /\ Released("a3")
Released_b1 == "b1" \in Tasks /\ Released("b1")
Released_b2 == "b2" \in Tasks /\ Released("b2")

Retry_a == "a" \in Procs /\ \E n \in Names : Retry("a", n)
Retried_a == "a" \in Procs /\ \E n \in Names : Retried("a", n)
Crash_a == "a" \in Procs /\ Crash("a")
Start_a == "a" \in Procs /\ Start("a")
Retry_b == "b" \in Procs /\ \E n \in Names : Retry("b", n)
Retried_b == "b" \in Procs /\ \E n \in Names : Retried("b", n)
Crash_b == "b" \in Procs /\ Crash("b")
Start_b == "b" \in Procs /\ Start("b")
AnyGuestEnds == TRUE /\ \E g \in Guests : GuestEnds(g)
AnyLateEffect == TRUE /\ \E c \in late : LateEffect(c)
AnyVandal == TRUE /\ \E n \in Names : Vandal(n)
AnySuspect == TRUE /\ \E n \in Names : Suspect(n)
AnyBreak == TRUE /\ \E n \in Names : Break(n)
AnyRemove == TRUE /\ \E n \in Names : Remove(n)

GraphNext ==
  \/ Request_a1 \/ Prepare_a1 \/ Take_a1 \/ Verify_a1 \/ Granted_a1 \/ Refused_a1
  \/ Look_a1 \/ Judge_a1 \/ Evict_a1 \/ Clear_a1 \/ Wake_a1 \/ GiveUp_a1 \/ LetGo_a1 \/ Release_a1
  \/ Expire_a1
  \/ Check_a1 \/ PutBack_a1 \/ Confirm_a1 \/ Restore_a1 \/ Drop_a1 \/ Released_a1
  \/ Request_a2 \/ Prepare_a2 \/ Take_a2 \/ Verify_a2 \/ Granted_a2 \/ Refused_a2
  \/ Look_a2 \/ Judge_a2 \/ Evict_a2 \/ Clear_a2 \/ Wake_a2 \/ GiveUp_a2 \/ LetGo_a2 \/ Release_a2
  \/ Expire_a2
  \/ Check_a2 \/ PutBack_a2 \/ Confirm_a2 \/ Restore_a2 \/ Drop_a2 \/ Released_a2
  \/ Request_a3 \/ Prepare_a3 \/ Take_a3 \/ Verify_a3 \/ Granted_a3 \/ Refused_a3
  \/ Look_a3 \/ Judge_a3 \/ Evict_a3 \/ Clear_a3 \/ Wake_a3 \/ GiveUp_a3 \/ LetGo_a3 \/ Release_a3
  \/ Expire_a3
  \/ Check_a3 \/ PutBack_a3 \/ Confirm_a3 \/ Restore_a3 \/ Drop_a3 \/ Released_a3
  \/ Request_b1 \/ Prepare_b1 \/ Take_b1 \/ Verify_b1 \/ Granted_b1 \/ Refused_b1
  \/ Look_b1 \/ Judge_b1 \/ Evict_b1 \/ Clear_b1 \/ Wake_b1 \/ GiveUp_b1 \/ LetGo_b1 \/ Release_b1
  \/ Expire_b1
  \/ Check_b1 \/ PutBack_b1 \/ Confirm_b1 \/ Restore_b1 \/ Drop_b1 \/ Released_b1
  \/ Request_b2 \/ Prepare_b2 \/ Take_b2 \/ Verify_b2 \/ Granted_b2 \/ Refused_b2
  \/ Look_b2 \/ Judge_b2 \/ Evict_b2 \/ Clear_b2 \/ Wake_b2 \/ GiveUp_b2 \/ LetGo_b2 \/ Release_b2
  \/ Expire_b2
  \/ Check_b2 \/ PutBack_b2 \/ Confirm_b2 \/ Restore_b2 \/ Drop_b2 \/ Released_b2
  \/ Retry_a \/ Retried_a \/ Crash_a \/ Start_a
  \/ Retry_b \/ Retried_b \/ Crash_b \/ Start_b
  \/ AnyGuestEnds \/ AnyLateEffect \/ AnyVandal \/ AnySuspect \/ AnyBreak \/ AnyRemove

GraphSpec == Init /\ [][GraphNext]_vars
=============================================================================

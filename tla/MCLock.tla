------------------------------- MODULE MCLock -------------------------------
(* Bounds for Lock.tla: two processes with two tasks each, one of which is exclusive, and three   *)
(* incarnations of a pid.  Hides: a third process, and a lock that outlives three uses of a pid.   *)
EXTENDS Lock

MCProcs == {"a", "b"}
MCTasks == {"a1", "a2", "b1", "b2"}
MCProcOf == [a1 |-> "a", a2 |-> "a", b1 |-> "b", b2 |-> "b"]
MCReentrantTasks == {"a1", "a2", "b1"}

FewIncarnations == \A p \in Procs : inc[p] <= 3
=============================================================================

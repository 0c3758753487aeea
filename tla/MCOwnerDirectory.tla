-------------------------- MODULE MCOwnerDirectory --------------------------
(* What the configurations are made of.  A bound is a constant of the .cfg file, beside the sentence that *)
(* says which behaviours it hides.  `npm run graph` reads the one-line definitions here too.              *)
EXTENDS OwnerDirectory

P1 == {"a"}
P2 == {"a", "b"}
P3 == {"a", "b", "c"}

T2 == {"a1", "a2"}
T3 == {"a1", "a2", "a3"}
T11 == {"a1", "b1"}
T21 == {"a1", "a2", "b1"}
T22 == {"a1", "a2", "b1", "b2"}
T111 == {"a1", "b1", "c1"}

Of == [a1 |-> "a", a2 |-> "a", a3 |-> "a", b1 |-> "b", b2 |-> "b", c1 |-> "c"]

\* Every process has a pid of its own ...
PidOwn == [a |-> "a", b |-> "b", c |-> "c"]
\* ... or a and b are two threads of one process, each with a registry of its own.
PidShared == [a |-> "a", b |-> "a", c |-> "c"]

\* EveryProcessGetsIt for process b, beside a process a with two tasks: what b needs, and no more.
FairToB == Spec /\ Progress /\ BoundedHandOvers("a") /\ FairDisk("b")
UnboundedToB == Spec /\ Progress /\ FairDisk("b")
BGetsIt == ProcessGetsIt("b")
=============================================================================

-------------------------- MODULE MCOwnerDirectory --------------------------
(* What the configurations are made of.  A bound is a constant of the .cfg file, beside the sentence that *)
(* says which behaviours it hides.                                                                        *)
EXTENDS OwnerDirectory, MCScopes

\* EveryProcessGetsIt for process b, beside a process a with two tasks: what b needs, and no more.
FairToB == Spec /\ Progress /\ BoundedHandOvers("a") /\ FairDisk("b")
UnboundedToB == Spec /\ Progress /\ FairDisk("b")
BGetsIt == ProcessGetsIt("b")
=============================================================================

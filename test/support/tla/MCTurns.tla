------------------------------ MODULE MCTurns ------------------------------
(***************************************************************************)
(* Turns with small bounds, and every action named by its parameter, so     *)
(* that the labels of the dumped graph carry it.                            *)
(***************************************************************************)
EXTENDS Turns

MCParties == {"a1", "b1"}

Take_a1 == TRUE /\ Take("a1")
Take_b1 == TRUE /\ Take("b1")
Put_a1  == TRUE /\ Put("a1")
Put_b1  == TRUE /\ Put("b1")

Next == Take_a1 \/ Take_b1 \/ Put_a1 \/ Put_b1 \/ Done
\* Without Done the last state has no successor: TLC reports a deadlock.
NextWithoutEnd == Take_a1 \/ Take_b1 \/ Put_a1 \/ Put_b1
\* Evaluates a field that no record has, in a reachable state.
NextThatCrashes == Next \/ (Len(log) = 1 /\ log[1].missing = 3 /\ UNCHANGED vars)

FairSpec == Init /\ [][Next]_vars /\ WF_vars(Next)
EveryoneGetsIt == \A p \in MCParties : <>(p \in seen)
SomebodyGetsIt == <>(seen # {})

UnfairSpec == Init /\ [][Next]_vars
=============================================================================

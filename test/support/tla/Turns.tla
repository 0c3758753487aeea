------------------------------- MODULE Turns -------------------------------
(***************************************************************************)
(* A toy for the tests of the tools in tla/tools: parties take a token and  *)
(* put it back. Its variables hold one value of every kind that TLC prints. *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets, TLC

CONSTANTS
    Parties,  \* who takes turns
    Rounds,   \* how often the token may be taken
    Polite,   \* the guard: only a free token is taken
    NoOne     \* a model value: nobody

VARIABLES
    pc,       \* per party: what it does
    holder,   \* the party that took the token last, or NoOne
    log,      \* the sequence of takers, with the (negative) round
    seen      \* the set of parties that ever held it

vars == <<pc, holder, log, seen>>

Init ==
    /\ pc = [p \in Parties |-> "idle"]
    /\ holder = NoOne
    /\ log = <<>>
    /\ seen = {}

Take(p) ==
    /\ pc[p] = "idle"
    /\ Polite => holder = NoOne
    /\ Len(log) < Rounds
    /\ pc' = [pc EXCEPT ![p] = "holding"]
    /\ holder' = p
    /\ log' = Append(log, [who |-> p, round |-> -(Len(log) + 1), note |-> "say \"hi\" \\ bye"])
    /\ seen' = seen \union {p}

Put(p) ==
    /\ pc[p] = "holding"
    /\ pc' = [pc EXCEPT ![p] = "idle"]
    /\ holder' = NoOne
    /\ UNCHANGED <<log, seen>>

\* The only way to end: everybody is idle and no round is left.
Done ==
    /\ Len(log) = Rounds
    /\ \A p \in Parties : pc[p] = "idle"
    /\ UNCHANGED vars

Mutex == Cardinality({p \in Parties : pc[p] = "holding"}) =< 1
HolderHolds == holder # NoOne => pc[holder] = "holding"
=============================================================================

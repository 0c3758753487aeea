------------------------------ MODULE MCScopes ------------------------------
(* Who takes part: the same processes and tasks for every specification.  `npm run graph` reads these *)
(* one-line definitions too.                                                                          *)

P1 == {"a"}
P2 == {"a", "b"}
P3 == {"a", "b", "c"}

T1 == {"a1"}
T2 == {"a1", "a2"}
T3 == {"a1", "a2", "a3"}
T11 == {"a1", "b1"}
T21 == {"a1", "a2", "b1"}
T22 == {"a1", "a2", "b1", "b2"}
T111 == {"a1", "b1", "c1"}

Of == [a1 |-> "a", a2 |-> "a", a3 |-> "a", b1 |-> "b", b2 |-> "b", c1 |-> "c"]

\* Every process has a pid of its own ...
PidOwn == [a |-> "a", b |-> "b", c |-> "c"]
\* ... or a and b are two of one process, threads or copies of the module, each with a registry of its own.
PidShared == [a |-> "a", b |-> "a", c |-> "c"]

\* Who works under the lock of a process, and owns it too.
GuestOfA == [a |-> "ga"]
GuestOfAB == [a |-> "ga", b |-> "gb"]
=============================================================================

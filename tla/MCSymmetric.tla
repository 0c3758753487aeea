----------------------------- MODULE MCSymmetric -----------------------------
(* One task per process, under the process's own name, and processes interchangeable: TLC looks at one of *)
(* each set of runs that differ in the names of processes only.  For safety; never with liveness, and     *)
(* never in a dump.                                                                                        *)
EXTENDS OwnerDirectory

CONSTANTS a, b, c

Sym == {a, b, c}
Of == [p \in Sym |-> p]
SymPid == Of
Interchangeable == Permutations(Sym)
=============================================================================

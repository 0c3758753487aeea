------------------------------- MODULE Values -------------------------------
(***************************************************************************)
(* One variable of every shape that TLC prints in a way of its own; recorded *)
(* in Values.dot, so that the parser of dumps is tested without Java.        *)
(***************************************************************************)
EXTENDS Integers, Sequences, TLC

CONSTANTS Red, Green

VARIABLES
    wide,   \* too wide for a line: TLC wraps it
    text,   \* strings with every escape
    shape   \* changes from step to step

Init ==
    /\ wide = [
           name |-> "a name that is long enough to make TLC wrap the value",
           names |-> {"another name that is long enough", "one more, and it begins with o"},
           colours |-> (Red :> TRUE) @@ (Green :> FALSE),
           offset |-> [i \in 5..6 |-> -i],
           nothing |-> << <<>>, {} >>]
    /\ text = "tab\tnl\nquote\"back\\slash /\\ x = 1"
    /\ shape = [is |-> 2..4]

Turn ==
    /\ shape' \in {[is |-> {4, 3, 2, 3}], [is |-> SUBSET {Red}], ("a b" :> "c"), [maps |-> [{Red} -> 1..2]]}
    /\ UNCHANGED <<wide, text>>

Stay == UNCHANGED <<wide, text, shape>>

Next == Turn \/ Stay
=============================================================================

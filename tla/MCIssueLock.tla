---------------------------- MODULE MCIssueLock ----------------------------
(* What the Issue* configurations are made of. *)
EXTENDS IssueLock, MCScopes
=============================================================================

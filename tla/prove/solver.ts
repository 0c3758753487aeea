/** Z3, as the npm package z3-solver brings it: WebAssembly, nothing to install. */

import { init, killThreads, Z3_error_code, Z3_lbool } from "z3-solver";
import { reasonOf, ToolError } from "../tools/toolError.ts";

export interface Answer {
  /** `unsat`: there is no such structure. `unknown` is no answer. */
  readonly verdict: "sat" | "unsat" | "unknown";
  /** Why it is unknown, in Z3's words; for `sat` the model: each constant and what it is, line by line. */
  readonly detail: string;
}

export interface Solver extends AsyncDisposable {
  /** Whether there is a structure in which everything that the text asserts is true. One question at a time. */
  ask(smtLib: string): Promise<Answer>;
}

/**
 * What one query may use, in Z3's own count of its work, so that "unknown" does not depend on the machine: about
 * half a minute on a slow one. The queries of the proof need far less.
 */
const RESOURCES = 20_000_000;

export async function startSolver(): Promise<Solver> {
  const { Z3, em } = await init();
  return {
    async ask(smtLib) {
      // A context of its own, so that the answer depends on the text alone, not on what was asked before.
      const config = Z3.mk_config();
      const context = Z3.mk_context(config);
      Z3.del_config(config);
      try {
        const limits = Z3.mk_params(context);
        Z3.params_inc_ref(context, limits);
        Z3.params_set_uint(context, limits, Z3.mk_string_symbol(context, "rlimit"), RESOURCES);
        const solver = Z3.mk_simple_solver(context);
        Z3.solver_inc_ref(context, solver);
        Z3.solver_set_params(context, solver, limits);
        // Not eval_smtlib2_string: it reads its text in another thread, when the copy may be gone already.
        Z3.solver_from_string(context, solver, smtLib);
        const code = Z3.get_error_code(context);
        if (code !== Z3_error_code.Z3_OK) throw new Error(Z3.get_error_msg(context, code));
        const answer = await Z3.solver_check(context, solver);
        if (answer === Z3_lbool.Z3_L_FALSE) return { verdict: "unsat", detail: "" };
        if (answer === Z3_lbool.Z3_L_UNDEF) {
          return { verdict: "unknown", detail: Z3.solver_get_reason_unknown(context, solver) };
        }
        const model = Z3.solver_get_model(context, solver);
        return { verdict: "sat", detail: Z3.model_to_string(context, model) };
      } catch (cause) {
        throw new ToolError(
          "ask Z3",
          reasonOf(cause).trim(),
          "The encoding is wrong: see tla/prove/smt.ts.",
          {
            cause,
          },
        );
      } finally {
        Z3.del_context(context);
      }
    },
    async [Symbol.asyncDispose]() {
      // Its threads keep the process alive. All are idle: every query was waited for.
      await killThreads(em);
    },
  };
}

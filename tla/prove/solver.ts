/** Z3, as the npm package z3-solver brings it: WebAssembly, nothing to install. */

import { init, killThreads, Z3_error_code, Z3_lbool } from "z3-solver";
import { reasonOf, ToolError } from "../tools/toolError.ts";

export interface Answer {
  /** `unsat`: there is no such structure. `unknown` is no answer. */
  readonly verdict: "sat" | "unsat" | "unknown";
  /** Why it is unknown, in Z3's words; for `sat` the model, as SMT-LIB. */
  readonly detail: string;
}

export interface Solver extends AsyncDisposable {
  /** Whether there is a structure in which everything that the text asserts is true. */
  ask(smtLib: string): Promise<Answer>;
}

/**
 * What one query may use, in Z3's own count of its work, so that "unknown" does not depend on the machine.
 */
const RESOURCES = 20_000_000;

export async function startSolver(): Promise<Solver> {
  const { Z3, em } = await init();
  const config = Z3.mk_config();
  const context = Z3.mk_context(config);
  Z3.del_config(config);
  const limits = Z3.mk_params(context);
  Z3.params_inc_ref(context, limits);
  Z3.params_set_uint(context, limits, Z3.mk_string_symbol(context, "rlimit"), RESOURCES);
  return {
    // Not eval_smtlib2_string: it reads its text in another thread, when the caller's copy is gone already.
    async ask(smtLib) {
      const solver = Z3.mk_simple_solver(context);
      Z3.solver_inc_ref(context, solver);
      try {
        Z3.solver_set_params(context, solver, limits);
        Z3.solver_from_string(context, solver, smtLib);
        if (Z3.get_error_code(context) !== Z3_error_code.Z3_OK)
          throw new Error(Z3.get_error_msg(context, Z3.get_error_code(context)));
        const verdict = await Z3.solver_check(context, solver);
        if (verdict === Z3_lbool.Z3_L_FALSE) return { verdict: "unsat", detail: "" };
        if (verdict === Z3_lbool.Z3_L_TRUE) {
          return {
            verdict: "sat",
            detail: Z3.model_to_string(context, Z3.solver_get_model(context, solver)),
          };
        }
        return { verdict: "unknown", detail: Z3.solver_get_reason_unknown(context, solver) };
      } catch (cause) {
        throw new ToolError("ask Z3", reasonOf(cause), "The encoding is wrong: see tla/prove/smt.ts.", {
          cause,
        });
      } finally {
        Z3.solver_dec_ref(context, solver);
      }
    },
    async [Symbol.asyncDispose]() {
      Z3.del_context(context);
      // Its threads keep the process alive. All are idle: every query was waited for.
      await killThreads(em);
    },
  };
}

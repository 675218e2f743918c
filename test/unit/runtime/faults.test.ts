import { expect, it } from "vitest";
import { LeaseholdError } from "../../../client/errors.ts";
import { KernelFault } from "../../../client/runtime/decode/kernel-fault.ts";
import { errorOf, faultOf } from "../../../client/runtime/faults.ts";

it("an error says on the page what it said in the worker, but for its cause", () => {
  const error = new LeaseholdError("context-length-exceeded", "Too long.", { limit: 2048, remaining: 0, resetsAt: "2026-11-23T00:00:00Z", retryAfterSeconds: 5, requestId: "req_1", cause: () => "not to be sent" });
  const { cause: _, ...said } = { ...error, message: error.message };
  const there = errorOf(structuredClone(faultOf(error)));
  expect(there).toBeInstanceOf(LeaseholdError);
  expect({ ...there, message: there.message }).toEqual(said);
  expect(there).toMatchObject({ code: "context-length-exceeded", limit: 2048, remaining: 0, requestId: "req_1" });
  expect(there.cause).toBeUndefined();
});

it("one of the kernels is one there too", () => {
  expect(errorOf(structuredClone(faultOf(new KernelFault("They add up wrong."))))).toBeInstanceOf(KernelFault);
});

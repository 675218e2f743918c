/**
 * R2 as the Worker under test sees it: the real bucket behind a tap that can be made to fail, as d1-tap.ts does for D1.
 * A fault is asked for every operation and decides it alone; `slow` does it, and answers, when `release` is called.
 */
import type { Fault } from "./d1-tap.ts";

type R2Fault = Fault | "slow";

let faultOf: (call: number) => R2Fault = () => null;
let calls = 0;
const hanging: (() => Promise<void>)[] = [];

/** The tap's controls, for tests. */
export const r2 = {
  /** From now on `fault(n)` decides the n-th operation, from 0. */
  fail(fault: (call: number) => R2Fault): void {
    calls = 0;
    faultOf = fault;
  },
  heal(): void {
    faultOf = () => null;
  },
  /** Ends what hangs: what was delayed is done now. */
  async release(): Promise<void> {
    for (const end of hanging.splice(0)) await end();
  },
  /** Leaves what hangs to hang: the object that asked is gone. */
  forget(): void {
    hanging.length = 0;
  },
  get hanging(): number {
    return hanging.length;
  },
};

const hang = (first: () => Promise<unknown> = async () => undefined) =>
  new Promise<never>((_, reject) => {
    hanging.push(async () => {
      await first();
      reject(new Error("R2 answered too late"));
    });
  });

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  switch (faultOf(calls++)) {
    case null:
      return work();
    case "refuse":
      throw new Error("R2: refused by the test");
    case "lose":
      await work();
      throw new Error("R2: the answer was lost by the test");
    case "late":
      await work();
      return hang();
    case "hang":
      return hang();
    case "delay":
      return hang(work);
    case "slow":
      return new Promise<T>((resolve, reject) => {
        hanging.push(() => work().then(resolve, reject));
      });
  }
}

const tapped = new WeakMap<R2Bucket, R2Bucket>();

export function tapBucket(bucket: R2Bucket): R2Bucket {
  let tap = tapped.get(bucket);
  if (!tap) {
    tap = new Proxy(bucket, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? (...args: unknown[]) => guarded(() => member.apply(target, args) as Promise<unknown>) : member;
      },
    });
    tapped.set(bucket, tap);
  }
  return tap;
}

export const isBucket = (binding: unknown): binding is R2Bucket => binding instanceof Object && binding.constructor.name === "R2Bucket";

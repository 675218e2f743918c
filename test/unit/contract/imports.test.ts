import { expect, it } from "vitest";
import { importCreate } from "../../../schema/contract/imports.ts";

const isTaken = (revision: string) => importCreate.safeParse({ source: "hf:org/model", revision, variants: ["q4"] }).success;

it.each(["main", "v1.2", "0123456789abcdef0123456789abcdef01234567", "refs/pr/1", "feature/onnx_q4"])("a revision may be %s", (revision) => expect(isTaken(revision)).toBe(true));

it.each(["", "/main", "refs//pr", "refs/pr/", "../main", "refs/../main", "a/.", "main?x=1", "a b", `a${"/a".repeat(50)}`])("%s is no revision", (revision) => expect(isTaken(revision)).toBe(false));

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Languages } from "../../../../client/runtime/constrain/patterns/language.ts";
import { Machine } from "../../../../client/runtime/constrain/patterns/machine.ts";
import { matchesOf } from "../../../../client/runtime/constrain/patterns/matches.ts";

class Refused extends Error {}
const refuse = (why: string) => new Refused(why);

function machineOf(pattern: string): Machine {
  const languages = new Languages();
  return new Machine(matchesOf(pattern, languages, refuse), languages);
}

const atom = fc.constantFrom("a", "b", "ab", ".", "\\d", "\\w", "\\W", "\\s", "[ab]", "[^a]", "[a-c1-3]", "[\\d_-]", "é", "世", "\\u{1F469}", "\\u0061", "\\x62", "\\.", "\\n", "[\\s\\S]", "\\p{Lu}", "[^\\P{Lu}]", "[]", "[^]");
const quantifier = fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?", "??", "{1,2}?");
const pattern = fc.letrec<{ all: string; part: string }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(atom, quantifier).map(([item, count]) => item + count),
    fc.constantFrom("^", "$", "^a", "b$"),
    fc.tuple(tie("all"), fc.constantFrom("(", "(?:", "(?<name>"), quantifier).map(([inside, opening, count]) => `${opening}${inside})${count}`),
    fc.tuple(tie("all"), fc.constantFrom("(?=", "(?!")).map(([inside, opening]) => `${opening}${inside})`),
  ),
  all: fc.array(fc.array(tie("part"), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("")), { minLength: 1, maxLength: 2 }).map((options) => options.join("|")),
})).all;
const text = fc.array(fc.constantFrom("a", "b", "c", "1", "3", "_", "-", ".", " ", "\n", "é", "世", "👩", "A", "\u2028"), { maxLength: 6 }).map((chars) => chars.join(""));

/** From one character to the next, as the specification has it: V8 looks between the halves of a character too. */
function isFound(sticky: RegExp, given: string): boolean {
  const places = [...given].map((_, at, chars) => chars.slice(0, at).join("").length);
  return [...places, given.length].some((place) => {
    sticky.lastIndex = place;
    return sticky.test(given);
  });
}

describe("a pattern's machine", { timeout: 30_000 }, () => {
  it("matches what JavaScript matches, for any pattern and text", { timeout: 60_000 }, () => {
    let refused = 0;
    let matched = 0;
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 8, maxLength: 8 }), (source, texts) => {
        let expression: RegExp;
        try {
          expression = new RegExp(source, "uy");
        } catch {
          return; // two groups of one name
        }
        let machine: Machine;
        try {
          machine = machineOf(source);
        } catch (error) {
          expect(error).toBeInstanceOf(Refused);
          refused++;
          return;
        }
        for (const given of texts) {
          const isMatch = isFound(expression, given);
          if (isMatch) matched++;
          expect([source, given, machine.matches(given)]).toEqual([source, given, isMatch]);
        }
      }),
      { numRuns: 800 },
    );
    expect(matched).toBeGreaterThan(500);
    expect(refused).toBeLessThan(300); // parts that look ahead, may be empty, and repeat
  });

  it.each<[string, string, string[], string[]]>([
    ["what it looks ahead for at its start", "^(?!.*\\.\\.)(?=.*@)[a-z.@]+$", ["a.b@c", "@"], ["a..b@c", "abc"]],
    ["what a repeated part looks ahead for", "^(?:(?!--)[a-z-])*$", ["a-b-c", ""], ["a--b"]],
    ["the end of a turn", "^(?:a$|ab)+$", ["a", "aba"], ["", "aa"]],
    ["a start after what may be empty", "^x*^a", ["ab"], ["xa", "ba"]],
    ["characters of two halves", "^\\ud83d\\ude00$", ["😀"], ["x"]],
    ["needless escapes", "^\\-\\_\\@$", ["-_@"], ["\\-"]],
    ["a brace that counts nothing", "^a{$", ["a{"], ["a"]],
  ])("holds to %s", (_, source, fitting, others) => {
    const machine = machineOf(source);
    for (const given of fitting) expect([given, machine.matches(given)]).toEqual([given, true]);
    for (const given of others) expect([given, machine.matches(given)]).toEqual([given, false]);
  });

  it.each(["\\ba", "(?<=a)b", "(?<!a)b", "(a)\\1", "(?<x>a)\\k<x>", "(?i:a)", "(", "a**", "(?:(?=a)b?)*c$|^(?:(?=a)b*)*"])("refuses %s", (source) => {
    expect(() => machineOf(source)).toThrow(Refused);
  });

  it.each<[string, string]>([
    ["unrolls looking ahead four times over", "((((a(?=b)){64}){64}){64}){64}"],
    ["is longer than anybody's", `^${"abc".repeat(4000)}$`],
    ["is deeper than anybody's", `${"(".repeat(1000)}a${")".repeat(1000)}`],
    ["names property after property", ["Latn", "Grek", "Cyrl", "Hebr", "Arab"].flatMap((script) => ["Script", "Script_Extensions", "sc", "scx"].map((name) => `\\p{${name}=${script}}`)).join("")],
  ])("refuses soon what %s", (_, source) => {
    const began = performance.now();
    expect(() => machineOf(source)).toThrow(Refused);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it("reads a long text that stands at its place, and many parts that look ahead", () => {
    expect(machineOf(`^${"abc".repeat(3300)}$`).distance(0)).toBe(9900);
    expect(machineOf(`^${"a(?=[ab])".repeat(1000)}b$`).distance(0)).toBe(1001);
  });

  it("knows how far an end is, and where there is none", () => {
    const machine = machineOf("^(?!b)[ab]c{2,}$");
    expect(machine.distance(0)).toBe(3);
    expect(machine.distance(machine.after(0, 97))).toBe(2);
    expect(machine.after(0, 98)).toBe(-1);
    expect(machineOf("^a$(?=b)").distance(0)).toBe(Infinity);
  });

  it.each<[string, string]>([
    ["^((a{1,30}){1,30}){1,30}$", "a"],
    ["^(((a|b){1,30}(c|d)?){1,30}){1,30}$", "abcabaab"],
    ["^(?!.*zz)((\\w{1,30}-?){1,30}){1,30}$", "ab-cdef"],
    ["^([a-z]{1,20}|[a-y]{1,21}|[a-x]{1,22}|[a-w]{1,23}){1,200}$", "abczyx"],
  ])("keeps few ways through repeats inside of repeats: %s", (source, letters) => {
    const machine = machineOf(source);
    let state = 0;
    for (const letter of letters.repeat(300).slice(0, 300)) {
      state = machine.after(state, letter.charCodeAt(0));
      expect(machine.distance(state)).toBeLessThan(3);
    }
    expect(machine.work).toBeLessThan(300 * 50); // thousands a letter, were each way kept
  });

  it("takes large counts without building them", () => {
    const began = performance.now();
    const machine = machineOf("^(?=.{1,253}$)([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$");
    expect([machine.matches("a.example.com"), machine.matches(`${"a".repeat(63)}.com`), machine.matches(`${"a".repeat(64)}.com`), machine.matches(`${"abc.".repeat(63)}com`)]).toEqual([true, true, false, false]);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

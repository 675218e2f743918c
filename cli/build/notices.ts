/**
 * Writes the licences of whatever a build takes from other packages beside it.
 *
 * - Found by the modules that really went in, those of workers too, and `also`: folders of what is copied as files.
 * - A package whose licence has no text in it gets the standard text, where that is known; else the build fails: what
 *   can't be told may not be handed on.
 */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import type { Plugin } from "vite";

export interface Notices {
  /** For the build that writes the file. */
  readonly main: Plugin;
  /** For builds within that one. */
  readonly worker: Plugin;
}

export function notices(fileName: string, also: readonly string[]): Notices {
  const folders = new Set<string>();
  const collect = (ids: Iterable<string>): void => {
    for (const id of ids) {
      const folder = packageOf(id);
      if (folder !== null) folders.add(realpathSync(folder));
    }
  };
  return {
    main: {
      name: "leasehold:notices",
      generateBundle() {
        collect(this.getModuleIds());
        for (const folder of also) folders.add(realpathSync(folder));
        this.emitFile({ type: "asset", fileName, source: noticesOf([...folders]) });
      },
    },
    worker: {
      name: "leasehold:notices-of-a-worker",
      generateBundle() {
        collect(this.getModuleIds());
      },
    },
  };
}

/** The folder of the package that a module is of; `null` for the project's own. */
export function packageOf(id: string): string | null {
  const path = (id.startsWith("\0") ? id.slice(1) : id).split("?")[0] ?? "";
  const mark = `${sep}node_modules${sep}`;
  const at = path.lastIndexOf(mark);
  if (at < 0) return null;
  const [scope = "", name = ""] = path.slice(at + mark.length).split(sep);
  return path.slice(0, at + mark.length) + (scope.startsWith("@") ? join(scope, name) : scope);
}

interface Package {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly repository?: string | { readonly url?: string };
  readonly text: string;
}

export function noticesOf(folders: readonly string[]): string {
  const packages = folders.map(readPackage).sort((a, b) => (a.name < b.name ? -1 : 1));
  const each = packages.map(({ name, version, license, repository, text }) => {
    const url = (typeof repository === "string" ? repository : (repository?.url ?? "")).replace(/^git\+/, "");
    return [`${name} ${version} (${license})`, ...(url === "" ? [] : [url]), "", text.trim()].join("\n");
  });
  return `This build contains parts of the following packages.\n\n${each.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

function readPackage(folder: string): Package {
  const stated = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Omit<Package, "text">;
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(name));
  const text = file !== undefined ? readFileSync(join(folder, file), "utf8") : WITHOUT_TEXT[stated.name];
  if (text === undefined || typeof stated.license !== "string") throw new Error(`The licence of ${stated.name} is not known: state its text in cli/build/notices.ts.`);
  return { ...stated, text };
}

/** Their packages state the licence without its text; the copyright is in their files. */
const MICROSOFT = `Copyright (c) Microsoft Corporation. All rights reserved.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

The WebAssembly files are built of third-party code as well: see ThirdPartyNotices.txt in the repository, at the tag of this version.`;

const WITHOUT_TEXT: Readonly<Record<string, string>> = { "onnxruntime-web": MICROSOFT, "onnxruntime-common": MICROSOFT };

/**
 * Finds a Chromium for tests, checks and screenshots.
 *
 * - `CHROME_PATH` wins; on macOS an installed Chrome follows; else the Chromium of the npm package
 *   `@sparticuz/chromium` (Linux x64), unpacked once into node_modules/.cache.
 * - Unpacking goes to a folder of its own which is then renamed: two runs at once never see half a browser.
 * - The package brings the shared libraries and a font that a bare machine lacks; both are used only where missing.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * WebGPU on SwiftShader where the machine has no GPU; threads; no sandbox, as in containers. A GPU process that a test
 * crashes comes back for the next one: by itself Chromium would keep it from the page for minutes.
 */
export const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--disable-domain-blocking-for-3d-apis",
  "--disable-gpu-process-crash-limit",
  "--font-render-hinting=none",
];

const run = promisify(execFile);

const MAC_CHROMES = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];

export async function chromiumPath(): Promise<string> {
  const named = process.env.CHROME_PATH;
  if (named) {
    if (!existsSync(named)) throw new Error(`CHROME_PATH names ${named}, which does not exist.`);
    return named;
  }
  if (process.platform === "darwin") {
    const chrome = MAC_CHROMES.find((path) => existsSync(path));
    if (chrome) return chrome;
    throw new Error("No Chrome found. Install Google Chrome, or set CHROME_PATH to a Chromium.");
  }
  if (process.platform === "linux" && process.arch === "x64") return unpackedChromium();
  throw new Error(`No Chromium comes with npm for ${process.platform} ${process.arch}. Set CHROME_PATH to one.`);
}

const UNPACK = `
import chromium, { inflate } from "@sparticuz/chromium";
await chromium.executablePath();
await inflate(process.argv[1]);
`;

const BUNDLED_LIBRARIES = `export LD_LIBRARY_PATH="$here/al2023/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n`;

/** Search order of the launcher: the machine's own libraries and fonts, then those of the package. */
const launcher = (bundledLibraries: boolean) => `#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
${bundledLibraries ? BUNDLED_LIBRARIES : ""}export FONTCONFIG_FILE="\${FONTCONFIG_FILE:-$here/fonts.conf}"
exec "$here/chromium" "$@"
`;

const fontConfig = (folder: string) => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${folder}/fonts/fonts</dir>
  <cachedir>${folder}/fonts-cache</cachedir>
</fontconfig>
`;

async function unpackedChromium(): Promise<string> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const pack = dirname(dirname(createRequire(import.meta.url).resolve("@sparticuz/chromium")));
  const { version } = JSON.parse(await readFile(join(pack, "package.json"), "utf8")) as { version: string };
  const cache = join(root, "node_modules/.cache/leasehold");
  const folder = join(cache, `chromium-${version}`);
  const path = join(folder, "launch");
  if (existsSync(path)) return path;

  await mkdir(cache, { recursive: true });
  const staging = await mkdtemp(join(cache, "unpacking-"));
  try {
    const unpack = ["--input-type=module", "-e", UNPACK, join(pack, "bin/al2023.tar.br")];
    await run(process.execPath, unpack, { cwd: root, env: { ...process.env, TMPDIR: staging } });
    const bundledLibraries = await run(join(staging, "chromium"), ["--version"]).then(() => false, () => true);
    await writeFile(join(staging, "fonts.conf"), fontConfig(folder));
    await writeFile(join(staging, "launch"), launcher(bundledLibraries), { mode: 0o755 });
    await rename(staging, folder);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!existsSync(path)) throw error; // another run was first
  }
  return path;
}

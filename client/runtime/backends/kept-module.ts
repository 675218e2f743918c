/**
 * onnxruntime-web's module, as its JavaScript API starts it, kept for the one thing that the API has no way for: a
 * session that records runs on the GPU without binding its inputs for good. (The API's own `enableGraphCapture` keeps the
 * first run's inputs for all later ones, so that a prompt could not come in pieces.)
 *
 * - The exports used are private; `RECORDING_EXPORTS` names them. Where one is missing, or the page lets no script come
 *   from a blob, there is no such session, and decoding goes on without.
 */

interface Exports {
  _OrtCreateSessionOptions(...settings: number[]): number;
  _OrtAddSessionConfigEntry(options: number, key: number, value: number): number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  stringToUTF8(text: string, pointer: number, max: number): void;
  lengthBytesUTF8(text: string): number;
}

export const RECORDING_EXPORTS: readonly (keyof Exports)[] = ["_OrtCreateSessionOptions", "_OrtAddSessionConfigEntry", "_malloc", "_free", "stringToUTF8", "lengthBytesUTF8"];
const RECORDS = ["ep.webgpuexecutionprovider.enableGraphCapture", "1"] as const;

declare global {
  var leaseholdOrt: object | undefined;
}

export class KeptModule {
  /** What the API is to load in place of its own glue. */
  readonly url: string;

  private constructor(url: string) {
    this.url = url;
  }

  /** `null` where the page's policy forbids it. */
  static async wrap(glue: URL): Promise<KeptModule | null> {
    const source = `import make from ${JSON.stringify(glue.href)};\nexport default async (options) => (globalThis.leaseholdOrt = await make(options));\n`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    return import(/* @vite-ignore */ url).then(
      () => new KeptModule(url),
      () => null,
    );
  }

  /** What `open` opens records its runs; `null` where this version's module is another one. */
  async recording<T>(open: () => Promise<T>): Promise<T | null> {
    const module = globalThis.leaseholdOrt;
    if (!module || !isKnown(module)) return null;
    const create = module._OrtCreateSessionOptions;
    module._OrtCreateSessionOptions = (...settings) => {
      const options = create.apply(module, settings);
      const [key, value] = RECORDS.map((text) => {
        const bytes = module.lengthBytesUTF8(text) + 1;
        const pointer = module._malloc(bytes);
        module.stringToUTF8(text, pointer, bytes);
        return pointer;
      });
      if (options !== 0) module._OrtAddSessionConfigEntry(options, key ?? 0, value ?? 0);
      module._free(key ?? 0);
      module._free(value ?? 0);
      return options;
    };
    try {
      return await open();
    } finally {
      module._OrtCreateSessionOptions = create;
    }
  }
}

const isKnown = (module: object): module is Exports => RECORDING_EXPORTS.every((name) => typeof (module as Record<string, unknown>)[name] === "function");

/**
 * The operator's origin: where this very script came from. Read while the script runs, when the browser still says.
 */
const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript : null;
const origin = script?.src ? new URL(script.src).origin : location.origin;

export const operatorOrigin = () => origin;
export const ownScript = () => script;

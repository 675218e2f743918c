/** The element's own look: a frame that is there when it answers, and a plain note when it doesn't. */
export const STYLES = `
:host { display: block; max-width: 960px; color-scheme: light dark; }
:host([hidden]) { display: none; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
iframe { display: none; width: 100%; height: 360px; border: 0; border-radius: 16px; }
:host([data-state="ready"]) iframe { display: block; }
:host([data-state="ready"]) p { display: none; }
p {
  box-sizing: border-box; margin: 0; padding: 20px 24px; min-height: 72px; border-radius: 16px;
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
  color: light-dark(#5c665f, #9aa69f); background: light-dark(#fbfaf6, #161b19);
  border: 1px solid light-dark(#e3dfd4, #2a322e);
}
:host([data-state="failed"]) p { color: light-dark(#7a2e1d, #f0b8a6); border-color: light-dark(#e5b9ab, #5c3529); }
`;

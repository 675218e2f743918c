/** The reference's look. A constant of our own: it may stand in the page as it is. */
import { Html } from "./html.ts";

export const STYLE = new Html(`
:root { color-scheme: light dark; --line: light-dark(#d8dde3, #33393f); --soft: light-dark(#5b6570, #9aa4ae); --ground: light-dark(#fff, #15181b); --bar: light-dark(#f6f7f9, #1b1f23); --link: light-dark(#0b5cad, #7db7f0); }
* { box-sizing: border-box; }
body { margin: 0; display: grid; grid-template-columns: 21rem minmax(0, 1fr); font: 15px/1.5 system-ui, sans-serif; background: var(--ground); }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1rem; background: var(--bar); border-right: 1px solid var(--line); font-size: 13px; }
nav a { display: block; padding: 1px 0; overflow-wrap: anywhere; }
nav h2 { margin: 1rem 0 .25rem; font-size: 12px; color: var(--soft); }
main { padding: 1rem 2rem 6rem; max-width: 62rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
h3 { margin: 2rem 0 .5rem; font-size: 16px; } h4 { margin: 1rem 0 .25rem; font-size: 13px; color: var(--soft); }
section { border-top: 1px solid var(--line); scroll-margin-top: 0; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
dl { margin: .25rem 0; padding-left: .75rem; border-left: 2px solid var(--line); } dd { margin: 0 0 .35rem 1rem; color: var(--soft); } dt { margin-top: .15rem; }
i, .rules { color: var(--soft); font-size: 13px; }
p { margin: .35rem 0; }
.who span { display: inline-block; margin-right: .35rem; padding: 0 .45rem; border: 1px solid var(--line); border-radius: 1rem; font-size: 12px; color: var(--soft); }
.get, .post, .put, .patch, .delete { display: inline-block; min-width: 3.6em; font: 600 11px ui-monospace, monospace; }
.get { color: light-dark(#136c3a, #5fcf8f); } .post { color: light-dark(#0b5cad, #7db7f0); } .put, .patch { color: light-dark(#8a5a00, #e0b25a); } .delete { color: light-dark(#b02a2a, #f08a8a); }
table { border-collapse: collapse; } td, th { padding: .15rem 1rem .15rem 0; text-align: left; border-bottom: 1px solid var(--line); }
@media (max-width: 60rem) { body { grid-template-columns: 1fr; } nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); } main { padding: 1rem; } }
`);

/**
 * The chat of Acme's page. It stands where the tenant has a model that writes; where it has none yet, how to get one
 * does, and the chat takes its place as soon as one is there.
 */
const { operator, key, user, backend } = document.currentScript.dataset;
const place = document.querySelector("#assistant");
const LOOK_AGAIN_MS = 5000;

/** The id of the first model that writes text, or null. */
async function findWriter() {
  const answer = await fetch(`${operator}/v1/models`, { headers: { Authorization: `Bearer ${key}` } });
  if (!answer.ok) return null;
  const { data } = await answer.json();
  return data.find(({ task }) => task === "text-generation")?.id ?? null;
}

function showChat(model) {
  const widget = document.createElement("leasehold-widget");
  for (const [name, value] of Object.entries({ key, model, user, backend, theme: "light", view: "chat" })) widget.setAttribute(name, value);
  place.replaceChildren(widget);
}

function showHow() {
  const text = document.createElement("p");
  text.textContent = "Acme has no model that writes yet. This brings one from its hub; the chat then appears here by itself:";
  const command = document.createElement("pre");
  command.tabIndex = 0;
  command.textContent = [
    `ADMIN=$(node -p 'require("./.leasehold/demo-keys.json").acme.admin')`,
    `curl -s ${operator}/v1/tenants/acme/models/chat/import \\`,
    `  -H "Authorization: Bearer $ADMIN" -H "Content-Type: application/json" \\`,
    `  -d '{ "source": "hf:HuggingFaceTB/SmolLM2-135M-Instruct", "variants": ["q4"] }'`,
  ].join("\n");
  place.replaceChildren(text, command);
}

async function look() {
  const model = await findWriter().catch(() => null); // the operator may be starting: it is asked again
  if (model) return showChat(model);
  if (!place.hasChildNodes()) showHow();
  setTimeout(look, LOOK_AGAIN_MS);
}
void look();

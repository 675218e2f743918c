/** What Acme does with the text of a receipt: fills in the form. The widget says when it has read one. */
addEventListener("leasehold:result", ({ detail }) => {
  const { elements } = document.querySelector("#expense");
  const lines = detail.blocks.map(({ text }) => text.trim()).filter(Boolean);
  const amounts = lines.flatMap((line) => [...line.matchAll(/\d+[.,]\d{2}(?!\d)/g)].map(([number]) => Number(number.replace(",", "."))));
  elements.merchant.value = lines[0] ?? "";
  elements.date.value = lines.join(" ").match(/\d{4}-\d{2}-\d{2}/)?.[0] ?? "";
  elements.total.value = amounts.length > 0 ? Math.max(...amounts).toFixed(2) : "";
});

document.querySelector("#expense").addEventListener("submit", (event) => {
  event.preventDefault();
  const { elements } = event.target;
  const row = document.querySelector("tbody").insertRow(0);
  for (const text of [elements.date.value, elements.merchant.value, elements.category.value, `€ ${elements.total.value}`]) row.insertCell().textContent = text;
  row.lastElementChild.className = "number";
  event.target.reset();
});

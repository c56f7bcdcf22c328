// Elements without markup strings: whatever a name or an explanation contains stays text.

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Fills a table's body, but touches only what changed: a screen reader is not told the rest again. */
export function fillRows(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    cells.forEach((cell, k) => {
      const place = row.cells[k] ?? row.insertCell();
      const { text, kind = "", title = "" } = typeof cell === "object" ? cell : { text: cell };
      if (place.textContent !== String(text)) place.textContent = text;
      if (place.className !== kind) place.className = kind;
      if (place.title !== title) place.title = title;
    });
  });
}

export function fillList(list, pairs) {
  const wanted = pairs.flatMap(([name, value]) => [["dt", name], ["dd", value]]);
  while (list.children.length > wanted.length) list.lastChild.remove();
  wanted.forEach(([tag, text], i) => {
    let place = list.children[i];
    if (!place) list.append((place = document.createElement(tag)));
    if (place.textContent !== String(text)) place.textContent = text;
  });
}

/** Buttons of which one is pressed. */
export function choice(group, options, current, choose) {
  const show = (chosen) => {
    for (const button of group.children) {
      button.setAttribute("aria-pressed", String(button.dataset.value === String(chosen)));
    }
  };
  for (const [value, label] of options) {
    const button = element("button", { type: "button", "data-value": value }, label);
    button.addEventListener("click", () => {
      show(value);
      choose(value);
    });
    group.append(button);
  }
  show(current);
  return show;
}

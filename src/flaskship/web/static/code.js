// Programs to copy: one at a time, by tabs, with the address that the browser is at.

export function code(box) {
  const here = new URL("./", location.href).href.replaceAll("'", "%27");
  const base = box.dataset.base;
  for (const each of box.querySelectorAll("code")) {
    if (base !== here) each.textContent = each.textContent.replaceAll(base, here);
  }
  for (const button of box.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      const done = await copy(text, document.getElementById(button.dataset.copy));
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  tabs(box, [...box.querySelectorAll(".snippet")]);
}

// The clipboard is for secure pages only; elsewhere the text is selected, and copied the old way.
async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}

// https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
function tabs(box, panels) {
  const list = document.createElement("div");
  list.className = "tabs";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Languages");
  const made = panels.map((panel, index) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `tab-${index}`;
    tab.textContent = panel.dataset.title;
    tab.setAttribute("role", "tab");
    panel.id ||= `panel-${index}`;
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.querySelector("h3").classList.add("visually-hidden");
    tab.addEventListener("click", () => choose(index));
    return tab;
  });
  const choose = (chosen, focus = false) => {
    made.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
    if (focus) made[chosen].focus();
  };
  list.addEventListener("keydown", (event) => {
    const at = made.indexOf(document.activeElement), last = made.length - 1;
    const steps = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to, true);
  });
  list.append(...made);
  box.prepend(list);
  choose(0);
}

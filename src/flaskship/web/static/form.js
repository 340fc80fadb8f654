// The answer follows the form: each change asks again, and what is wrong stands at its field.

const PAUSE = 250; // ms after the last change

// `box` holds the form. Of the form itself nothing is asked but its data, for a field called "elements" or "action"
// takes the place of the form's own property of that name.
export function live(box, form, answer) {
  let timer = 0, asked = null, told = true;
  const ask = async () => {
    clearTimeout(timer);
    asked?.abort();
    const mine = (asked = new AbortController());
    answer.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(new URL("./?part=answer", location.href), {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: "text/html" },
        signal: mine.signal,
      });
      const text = await response.text();
      if (!response.ok) throw new Error(reason(text, response.status));
      show(answer, text);
      place(box, answer);
      told = true;
    } catch (error) {
      if (error.name === "AbortError") return;
      const why = line("problem", `${error.message} It is tried again at the next change.`);
      if (told) answer.replaceChildren(line("caption", "Not answered"), why);
      told = false;
    }
    if (asked === mine) answer.removeAttribute("aria-busy");
  };
  box.addEventListener("input", (event) => {
    mirror(box, event.target);
    unusual(event.target);
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  box.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  box.addEventListener("reset", () => setTimeout(() => {
    for (const each of box.querySelectorAll("input[type=number]")) { mirror(box, each); unusual(each); }
    ask();
  }));
  for (const slider of box.querySelectorAll("input[type=range]")) slider.hidden = false;
  for (const input of box.querySelectorAll("input[type=number]")) unusual(input);
  Element.prototype.setAttribute.call(form, "novalidate", ""); // the server says what is wrong, in words
  find(box);
  const row = document.getElementById("row");
  if (!answer.querySelector(".caption") && (!row || row.value.trim())) ask();
}

export function reason(text, status) {
  try { return JSON.parse(text).detail; } catch { return `The server answered ${status}.`; }
}

export function line(name, text) {
  const made = document.createElement("p");
  made.className = name;
  made.textContent = text;
  return made;
}

// The server's own HTML, in which every value is escaped; bars glide from where they were.
export function show(answer, html) {
  const before = [...answer.querySelectorAll(".fill")].map((bar) => bar.getAttribute("width"));
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const bars = [...parsed.querySelectorAll(".fill")];
  const after = bars.map((bar) => bar.getAttribute("width"));
  if (before.length === bars.length) bars.forEach((bar, index) => bar.setAttribute("width", before[index]));
  answer.replaceChildren(...parsed.body.childNodes);
  if (before.length === bars.length && before.length) {
    answer.getBoundingClientRect();
    [...answer.querySelectorAll(".fill")].forEach((bar, index) => bar.setAttribute("width", after[index]));
  }
}

// Each problem to its field; those of no field stay where the answer would be.
export function place(box, answer) {
  const problems = [...answer.querySelectorAll(".problems li")];
  const told = new Map(problems.map((each) => [each.dataset.at.replace(/^\$\./, ""), each]));
  for (const field of box.querySelectorAll(".field[data-field]")) {
    const found = told.get(field.dataset.field);
    const input = field.querySelector("[name]"), problem = field.querySelector(".problem");
    field.classList.toggle("wrong", Boolean(found));
    problem.hidden = !found;
    if (found) field.querySelector(".unusual").hidden = true;
    if (problem.textContent !== (found?.textContent ?? "")) problem.textContent = found?.textContent ?? "";
    if (found) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
  }
}

// A number and its slider show the same.
export function mirror(box, changed) {
  if (changed.dataset?.for) document.getElementById(changed.dataset.for).value = changed.value;
  else if (changed.type === "number") {
    const slider = box.querySelector(`input[type=range][data-for="${changed.id}"]`);
    if (slider && changed.value !== "") slider.value = changed.value;
  }
  if (changed.dataset?.for) unusual(document.getElementById(changed.dataset.for));
}

function unusual(input) {
  const note = input.id && document.getElementById(`unusual-${input.id}`);
  if (!note || input.type !== "number") return;
  const value = input.valueAsNumber;
  const { low = -Infinity, high = Infinity } = input.dataset;
  note.hidden = !(value < Number(low) || value > Number(high));
}

export function find(box) {
  const finder = box.querySelector(".find");
  if (!finder) return;
  finder.hidden = false;
  finder.querySelector("input").addEventListener("input", (event) => {
    event.stopPropagation();
    const wanted = event.target.value.trim().toLowerCase();
    for (const field of box.querySelectorAll(".field[data-field]")) {
      field.hidden = !field.dataset.field.toLowerCase().includes(wanted);
    }
  });
}

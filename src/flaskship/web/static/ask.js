// The form of a function: it runs when it is told to, and a stream is shown as it comes.
import { element } from "./chart.js";
import { find, line, mirror, place, reason, show } from "./form.js";
import { events } from "./events.js";
import { drawing } from "./drawing.js";

const KEPT = 1000; // items that are kept to be shown as JSON

export function asked(box, form, answer, streams) {
  let running = null;
  const stop = document.getElementById("stop");
  const ask = async () => {
    running?.abort();
    const mine = (running = new AbortController());
    answer.setAttribute("aria-busy", "true");
    stop.hidden = false;
    const started = performance.now();
    try {
      const response = await fetch(new URL("./?part=answer", location.href), {
        method: "POST",
        body: sent(form),
        headers: { Accept: streams ? "text/event-stream" : "text/html" },
        signal: mine.signal,
      });
      if (response.ok && response.headers.get("Content-Type").startsWith("text/event-stream")) {
        await told(box, answer, response, mine.signal, started);
      } else {
        const text = await response.text();
        if (!response.ok) throw new Error(reason(text, response.status));
        show(answer, text);
        place(box, answer);
        drawing(answer);
      }
    } catch (error) {
      if (running !== mine) return; // another one runs by now
      const said = error.name === "AbortError" ? line("muted", "Stopped.") : line("problem", error.message);
      answer.replaceChildren(line("caption", "Not answered"), said);
    }
    if (running !== mine) return;
    running = null;
    if (answer.getBoundingClientRect().top > innerHeight - 100) answer.scrollIntoView(); // as on a phone
    answer.removeAttribute("aria-busy");
    stop.hidden = true;
  };
  box.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  box.addEventListener("input", (event) => mirror(box, event.target));
  box.addEventListener("reset", () => {
    running?.abort();
    setTimeout(() => {
      for (const each of box.querySelectorAll("input[type=number]")) mirror(box, each);
      answer.replaceChildren(line("muted", "The answer appears here."));
      place(box, answer);
    });
  });
  stop.addEventListener("click", () => running?.abort());
  for (const slider of box.querySelectorAll("input[type=range]")) slider.hidden = false;
  find(box);
  drawing(answer);
}

// What the form holds: as a browser would send it.
function sent(form) {
  const data = new FormData(form);
  return form.getAttribute("enctype") ? data : new URLSearchParams(data);
}

// A stream as it comes. Screen readers read it out when it is done, as the answer is busy until then.
async function told(box, answer, response, signal, started) {
  const text = element("p", { class: "text stream" }), items = [];
  let count = 0, failed = "";
  answer.replaceChildren(line("caption", "Answer"), text);
  place(box, answer);
  try {
    for await (const { kind, data } of events(response.body)) {
      if (kind === "end") break;
      const value = JSON.parse(data);
      if (kind === "error") { failed = value.detail; break; }
      count++;
      if (items.length < KEPT) items.push(value);
      text.append(typeof value === "string" ? value : `${JSON.stringify(value)}\n`);
    }
  } catch (error) {
    failed = signal.aborted ? "Stopped." : "The connection broke.";
  }
  if (failed) answer.append(line(failed === "Stopped." ? "muted" : "problem", failed));
  const shown = JSON.stringify(items, null, 2), whole = element("pre", { tabindex: "0", role: "region" }, shown);
  whole.setAttribute("aria-label", "The answer as JSON");
  answer.append(element("details", { class: "json" }, element("summary", {}, "As JSON"), whole));
  const spent = ((performance.now() - started) / 1000).toFixed(1);
  answer.append(line("took", `${count} item${count === 1 ? "" : "s"} in ${spent} s.`));
}

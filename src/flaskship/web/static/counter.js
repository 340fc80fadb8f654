// How long a text is, below its text area. One that is too long is not cut, but not sent either.

const spelt = (number) => number.toLocaleString("en-US");

export function counters(box) {
  for (const area of box.querySelectorAll("textarea")) {
    const shown = document.getElementById(`counter-${area.id}`);
    if (!shown) continue;
    const count = () => {
      const letters = [...area.value].length, words = area.value.match(/\S+/g)?.length ?? 0;
      const most = Number(area.dataset.most) || Infinity;
      const of = most < Infinity ? ` of ${spelt(most)}` : "";
      shown.textContent = `${spelt(words)} word${words === 1 ? "" : "s"}, ${spelt(letters)}${of} characters`;
      shown.classList.toggle("problem", letters > most);
      area.setCustomValidity(letters > most ? `That is ${spelt(letters - most)} characters too long.` : "");
    };
    shown.hidden = false;
    area.addEventListener("input", count);
    box.addEventListener("reset", () => setTimeout(count));
    count();
  }
}

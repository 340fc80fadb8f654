// Controls that take a file: chosen, dropped, pasted or taken with the camera; a picture is shown.
import { element } from "./chart.js";

const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

export function files(box) {
  const drops = [...box.querySelectorAll(".field-file .drop")];
  for (const drop of drops) prepare(drop);
  const pictures = drops.filter((each) => each.classList.contains("picture"));
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    const drop = pictures.find((each) => each.contains(document.activeElement)) ?? pictures[0];
    if (!pasted || !drop) return;
    event.preventDefault();
    take(drop, [pasted]);
  });
  box.addEventListener("reset", () => setTimeout(() => drops.forEach(preview)));
}

const control = (drop) => drop.querySelector("input[name]");

function take(drop, chosen) {
  const held = new DataTransfer();
  held.items.add(chosen[0]);
  control(drop).files = held.files;
  control(drop).dispatchEvent(new Event("change", { bubbles: true }));
}

function prepare(drop) {
  drop.querySelector(".file-hint").hidden = false;
  control(drop).addEventListener("change", () => preview(drop));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) take(drop, event.dataTransfer.files);
    });
  }
  drop.querySelector(".sample").addEventListener("click", async (event) => {
    event.preventDefault();
    const { href, download } = event.currentTarget, blob = await (await fetch(href)).blob();
    take(drop, [new File([blob], download, { type: blob.type })]);
  });
  const camera = drop.querySelector(".camera");
  if (!camera) return;
  camera.hidden = !matchMedia("(pointer: coarse)").matches;
  const taken = camera.querySelector("input");
  taken.addEventListener("change", () => { if (taken.files.length) take(drop, taken.files); });
}

// What is chosen: its name and size, and a picture itself.
function preview(drop) {
  const shown = drop.querySelector(".chosen-file"), file = control(drop).files[0];
  const before = shown.querySelector("img");
  if (before) URL.revokeObjectURL(before.src);
  shown.hidden = !file;
  shown.replaceChildren();
  if (!file) return;
  if (drop.classList.contains("picture")) {
    const picture = element("img", { class: "picture", alt: `${file.name}, as it will be sent` });
    picture.addEventListener("error", () => picture.remove()); // a kind that this browser does not show
    picture.src = URL.createObjectURL(file);
    shown.append(picture);
  }
  shown.append(element("p", { class: "help" }, `${file.name}, ${size(file.size)}`));
  const limit = Number(drop.closest("form").getAttribute("data-limit"));
  const large = `That is larger than the ${size(limit)} that are taken.`;
  if (file.size > limit) shown.append(element("p", { class: "problem" }, large));
}

// Controls that take a file: chosen, dropped, pasted or taken with a camera; a picture is shown.
import { camera } from "./camera.js";
import { element } from "./chart.js";

const SHOWN = 800; // pixels of the longer side of what is shown
const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

export function files(box) {
  const drops = [...box.querySelectorAll(".field-file .drop")];
  for (const drop of drops) prepare(drop);
  const pictures = drops.filter((each) => each.classList.contains("picture"));
  if (drops.length) keepPage();
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    const drop = pictures.find((each) => each.contains(document.activeElement)) ?? pictures[0];
    if (!pasted || !drop) return;
    event.preventDefault();
    take(drop, pasted);
  });
  box.addEventListener("reset", () => setTimeout(() => drops.forEach(changed)));
}

// A file that is dropped beside its field does not take the page's place.
function keepPage() {
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.dataTransfer?.types.includes("Files") && event.target.type !== "file") event.preventDefault();
    });
  }
}

const control = (drop) => drop.querySelector("input[name]");

function take(drop, file) {
  const held = new DataTransfer();
  held.items.add(file);
  control(drop).files = held.files;
  control(drop).dispatchEvent(new Event("change", { bubbles: true }));
}

function prepare(drop) {
  drop.querySelector(".file-hint").hidden = false;
  control(drop).addEventListener("change", () => changed(drop));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) take(drop, event.dataTransfer.files[0]);
    });
  }
  const sample = drop.querySelector(".sample");
  sample.addEventListener("click", async (event) => {
    event.preventDefault();
    const blob = await (await fetch(sample.href)).blob();
    take(drop, new File([blob], sample.download, { type: blob.type }));
  });
  if (!drop.classList.contains("picture")) return;
  const capture = drop.querySelector(".capture"), taken = capture.querySelector("input");
  taken.addEventListener("change", () => { if (taken.files.length) take(drop, taken.files[0]); });
  if (matchMedia("(pointer: coarse)").matches) capture.hidden = false;
  else camera(drop.querySelector(".camera"), (file) => take(drop, file), (why) => tell(drop, why));
}

// What is wrong, at the field; "" takes it away.
function tell(drop, why) {
  const field = drop.closest(".field"), problem = field.querySelector(".problem");
  field.classList.toggle("wrong", Boolean(why));
  problem.hidden = !why;
  problem.textContent = why;
}

// What is chosen: its name and size, and a picture itself. What is too large is not sent.
function changed(drop) {
  const shown = drop.querySelector(".chosen-file"), input = control(drop), file = input.files[0];
  const limit = Number(drop.closest("form").getAttribute("data-limit"));
  shown.hidden = !file;
  shown.replaceChildren();
  const large = file?.size > limit ? `${file.name} has ${size(file.size)}: at most ${size(limit)} are taken.` : "";
  input.setCustomValidity(large);
  input.removeAttribute("aria-invalid");
  tell(drop, large);
  if (!file) return;
  if (drop.classList.contains("picture")) {
    const picture = element("canvas", { class: "picture", role: "img", "aria-label": `${file.name}, as it will be sent`, hidden: "" });
    shown.append(picture);
    paint(picture, file);
  }
  shown.append(element("p", { class: "help" }, `${file.name}, ${size(file.size)}`));
}

function paint(canvas, file) {
  const worker = new Worker(new URL("./thumbnail.js", import.meta.url));
  worker.onmessage = ({ data: small }) => {
    worker.terminate();
    if (!small) return canvas.remove();
    canvas.width = small.width;
    canvas.height = small.height;
    canvas.getContext("bitmaprenderer").transferFromImageBitmap(small);
    canvas.hidden = false;
  };
  worker.postMessage({ file, longest: SHOWN });
}

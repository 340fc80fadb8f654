// A picture with what was found in it: objects are hidden one by one or at once, and what is downloaded is what is seen.

let kept = ""; // the address of the last picture that can be downloaded

export function drawing(answer) {
  const box = answer.querySelector(".drawing"), link = answer.querySelector("#drawn");
  if (!box) return;
  const objects = [...box.querySelectorAll(".layers input")], every = box.querySelector("#every");
  let turn = 0;
  const update = async () => {
    const shown = objects.filter((each) => each.checked);
    if (every) {
      every.checked = shown.length === objects.length;
      every.indeterminate = shown.length > 0 && !every.checked;
    }
    for (const each of answer.querySelectorAll(".counts li")) count(each, objects);
    const mine = ++turn, made = await composed(box);
    if (mine !== turn) return; // something else is shown by now
    URL.revokeObjectURL(kept);
    link.href = kept = URL.createObjectURL(made);
    link.download = link.download.replace(/\.\w+$/, ".png");
    link.hidden = false;
  };
  box.addEventListener("change", (event) => {
    if (event.target === every) for (const each of objects) each.checked = every.checked;
    update();
  });
  if (every) every.parentElement.hidden = false;
  update();
}

// "2 of 3 × circle" where one is hidden.
function count(shown, objects) {
  const hidden = objects.filter((each) => each.dataset.name === shown.dataset.name && !each.checked).length;
  const total = Number(shown.dataset.count), seen = hidden ? `${total - hidden} of ${total}` : `${total}`;
  shown.querySelector("span").textContent = `${seen} × ${shown.dataset.name}`;
}

// The picture as it is seen, as a PNG.
async function composed(box) {
  const picture = box.querySelector("img"), image = new Image();
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  await picture.decode();
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  context.drawImage(picture, 0, 0);
  const layers = [...box.querySelectorAll(".layer"), ...box.querySelectorAll(".tag")].filter(seen); // labels on top
  if (layers.length) {
    const whole = layers[0].cloneNode(false);
    whole.setAttribute("width", canvas.width);
    whole.setAttribute("height", canvas.height);
    for (const each of layers.flatMap((layer) => [...layer.children]).filter(seen)) whole.append(each.cloneNode(true));
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(whole))}`;
    await image.decode();
    context.drawImage(image, 0, 0);
  }
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

const seen = (each) => getComputedStyle(each).display !== "none";

// A picture with what was found in it: what is downloaded has the layers that are shown.

export function drawing(answer) {
  const box = answer.querySelector(".drawing"), link = answer.querySelector("#drawn");
  if (!box || !link) return;
  const whole = link.getAttribute("href"), named = link.getAttribute("download");
  box.addEventListener("change", async () => {
    const switches = [...box.querySelectorAll(".layers input")];
    const all = switches.every((each) => each.checked);
    const layers = switches.filter((each) => each.checked).map((each) => each.parentElement.querySelector(".layer"));
    link.href = all ? whole : await composed(box.querySelector("img"), layers);
    link.download = all ? named : named.replace(/\.\w+$/, ".png");
  });
}

// The picture and these layers as a PNG.
async function composed(picture, layers) {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  context.drawImage(picture, 0, 0);
  for (const layer of layers) {
    const copy = layer.cloneNode(true), image = new Image();
    copy.setAttribute("width", canvas.width);
    copy.setAttribute("height", canvas.height);
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    await image.decode();
    context.drawImage(image, 0, 0);
  }
  return canvas.toDataURL("image/png");
}

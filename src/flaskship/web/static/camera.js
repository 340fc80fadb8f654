// The computer's camera, in a field that takes a picture. A phone has a camera of its own, which it is asked for instead.
import { element } from "./chart.js";

const WISHED = { video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } } };
const WHY = {
  NotAllowedError: "The browser may not use the camera.",
  NotFoundError: "There is no camera.",
  NotReadableError: "The camera is in use elsewhere.",
};

// `take` is given the picture that is taken, as a file; `fail` a sentence.
export function camera(button, take, fail) {
  if (!navigator.mediaDevices?.getUserMedia) return; // as on pages that came unencrypted
  button.hidden = false;
  let stop = () => {};
  addEventListener("pagehide", () => stop());
  addEventListener("reset", () => stop());
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia(WISHED);
      stop = opened(button, stream, take);
    } catch (error) {
      fail(WHY[error.name] ?? `The camera cannot be used: ${error.message}`);
    }
    button.disabled = false;
  });
}

// What the camera sees, with two buttons. Answers what closes it.
function opened(button, stream, take) {
  const video = element("video", { "aria-label": "What the camera sees", playsinline: "" });
  const shoot = element("button", { class: "btn btn-sm btn-primary", type: "button", disabled: "" }, "Take the picture");
  const close = element("button", { class: "btn btn-sm btn-link", type: "button" }, "Close the camera");
  const finder = element("div", { class: "finder" }, video, element("div", { class: "ways" }, shoot, close));
  const stop = () => {
    for (const each of stream.getTracks()) each.stop();
    finder.remove();
    button.hidden = false;
  };
  close.addEventListener("click", () => { stop(); button.focus(); });
  shoot.addEventListener("click", async () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const content = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    stop();
    button.focus();
    take(new File([content], "camera.jpg", { type: "image/jpeg" }));
  });
  video.muted = true;
  video.srcObject = stream;
  button.hidden = true;
  button.parentElement.after(finder);
  video.addEventListener("playing", () => { shoot.disabled = false; shoot.focus(); }, { once: true });
  video.play().catch(() => {}); // closed before it began
  return stop;
}

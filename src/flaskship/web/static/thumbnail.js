// A picture made small beside the page, which one of a hundred megapixels would hold up for seconds.

onmessage = async ({ data: { file, longest } }) => {
  try {
    const whole = await createImageBitmap(file); // turned as its EXIF says
    const scale = Math.min(1, longest / Math.max(whole.width, whole.height));
    const [width, height] = [whole.width, whole.height].map((side) => Math.max(1, Math.round(side * scale)));
    const size = { resizeWidth: width, resizeHeight: height, resizeQuality: "medium" };
    const small = await createImageBitmap(whole, size);
    whole.close();
    postMessage(small, [small]);
  } catch {
    postMessage(null); // a kind that this browser does not show
  }
};

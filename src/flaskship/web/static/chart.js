// Bars of labels and histograms of numbers, drawn as SVG.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const shown = (number) => Number(number.toPrecision(6)).toLocaleString("en-US", { maximumSignificantDigits: 6 });
export const counted = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

// What one output's predictions are: `labels` with their counts, or `bins` from `low` to `high`.
export function chart(output, total) {
  return output.bins ? histogram(output) : bars(output, total);
}

function bars({ labels, others, rest, empty }, total) {
  const rows = [...labels];
  if (others) rows.push([`${counted(others, "other")}`, rest]);
  if (empty) rows.push(["no prediction", empty]);
  const list = element("ul", { class: "bars" });
  for (const [label, count] of rows) {
    const share = (100 * count) / total;
    const percent = share && share < 0.1 ? "< 0.1 %" : `${share.toFixed(1)} %`;
    list.append(element("li", {},
      element("span", { class: "bar-name" }, label),
      element("span", { class: "bar-value" }, `${count.toLocaleString("en-US")} · ${percent}`),
      drawn("svg", { class: "bar", "aria-hidden": "true" },
        drawn("rect", { class: "track", width: "100%", height: "100%", rx: 4 }),
        drawn("rect", { class: "fill", width: `${share}%`, height: "100%", rx: 4 }))));
  }
  return list;
}

function histogram({ bins, low, high, middle, mean, empty }) {
  const most = Math.max(...bins), width = 100 / bins.length;
  const said = `Histogram: from ${shown(low)} to ${shown(high)}, median ${shown(middle)}, mean ${shown(mean)}.`;
  const columns = bins.map((count, index) => {
    const from = low + ((high - low) * index) / bins.length, to = low + ((high - low) * (index + 1)) / bins.length;
    const height = count ? Math.max(0.6, (38 * count) / most) : 0;
    return drawn("rect", { class: "fill", x: index * width + 0.2, y: 40 - height, width: width - 0.4, height },
      drawn("title", {}, `${shown(from)} to ${shown(to)}: ${count.toLocaleString("en-US")}`));
  });
  const box = { viewBox: "0 0 100 40", preserveAspectRatio: "none" };
  const picture = drawn("svg", { class: "histogram", role: "img", "aria-label": said, ...box }, ...columns);
  const both = [low, high].map((end) => element("span", {}, shown(end)));
  const ends = element("p", { class: "ends", "aria-hidden": "true" }, ...both);
  const without = empty ? `; ${counted(empty, "row")} without a prediction` : "";
  const note = `Median ${shown(middle)}, mean ${shown(mean)}${without}.`;
  return element("div", {}, picture, ends, element("p", { class: "muted" }, note));
}

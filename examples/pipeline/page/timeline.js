// The plot of the detections: a column for each frame and job, as high as the part of the pixels that changed. It is
// a slider: a click, a drag or a key chooses the frame.

import { byId, setText } from "./dom.js";

const slider = byId("timeline");
const plot = slider.querySelector("svg");

// `shares` has for each frame the share of each job that is shown; undefined: not analyzed yet.
export function renderTimeline(shares, index, text) {
  const highest = Math.max(0, ...shares.flat().filter((share) => share !== undefined));
  plot.setAttribute("viewBox", `0 0 ${shares.length} 100`);
  plot.querySelector(".now").setAttribute("x", index);
  ["a", "b"].forEach((name, place) => {
    const columns = shares.map((ofFrame, frame) => columnOf(ofFrame, place, frame, highest));
    plot.querySelector(`path.${name}`).setAttribute("d", columns.join(""));
  });
  slider.setAttribute("aria-valuemax", shares.length - 1);
  slider.setAttribute("aria-valuenow", index);
  slider.setAttribute("aria-valuetext", text);
  setText(byId("scale"), `Changed pixels of each frame (highest: ${(100 * highest).toFixed(1)} %)`);
}

// Return the path of one column. A frame without changes has a low one, a frame that is not analyzed has none.
function columnOf(shares, place, frame, highest) {
  if (shares[place] === undefined) return "";
  const width = 0.8 / shares.length;
  const left = frame + 0.1 + place * width;
  const height = 3 + (highest && (94 * shares[place]) / highest);
  return `M${left.toFixed(3)} 100v${-height.toFixed(2)}h${width.toFixed(3)}V100z`;
}

export function listenToTimeline(show) {
  const choose = (event) => {
    const box = plot.getBoundingClientRect();
    show(Math.floor(((event.clientX - box.left) / box.width) * plot.viewBox.baseVal.width));
  };
  slider.addEventListener("pointerdown", (event) => {
    slider.setPointerCapture(event.pointerId);
    choose(event);
  });
  slider.addEventListener("pointermove", (event) => event.buttons === 1 && choose(event));
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(Number(slider.getAttribute("aria-valuenow")) + step);
  });
}

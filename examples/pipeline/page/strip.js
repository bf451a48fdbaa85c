// The strip of frames. Only the chosen frame is a tab stop; the arrow keys move on from there.

import { byId, reconcile } from "./dom.js";

const strip = byId("strip");
let drawn = { frames: null, index: -1 };

export function renderStrip(frames, index, show) {
  if (drawn.frames !== frames) {
    reconcile(strip, frames, (frame) => frame.key, createOption, (option, frame, place) => {
      option.setAttribute("aria-label", `frame ${place}`);
      option.firstChild.src = frame.url;
      option.onclick = () => show(place);
    });
  }
  if (drawn.frames !== frames || drawn.index !== index) choose(index);
  drawn = { frames, index };
}

function choose(index) {
  const focused = strip.contains(document.activeElement);
  [...strip.children].forEach((option, place) => {
    option.setAttribute("aria-selected", String(place === index));
    option.tabIndex = place === index ? 0 : -1;
  });
  const option = strip.children[index];
  if (!option) return;
  if (focused) option.focus({ preventScroll: true });
  strip.scrollLeft = option.offsetLeft - (strip.clientWidth - option.offsetWidth) / 2; // the page itself stays
}

function createOption() {
  const option = document.createElement("div");
  const image = document.createElement("img");
  option.setAttribute("role", "option");
  image.loading = "lazy";
  image.alt = "";
  option.append(image);
  return option;
}

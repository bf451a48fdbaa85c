// One picture: a frame, and the overlay of one job on it.

import { setText } from "./dom.js";

export function createPane(figure) {
  const [frame, overlay] = ["frame", "overlay"].map((name) => figure.querySelector(`.${name}`));
  let drawn = "";

  // Resolve with true when the picture is there, with false if another one was asked for meanwhile. Frame and
  // overlay change together, when both are loaded, so that no frame has the overlay of another one.
  async function draw(picture) {
    const urls = [picture.frame, picture.overlay].filter(Boolean);
    const mine = urls.join(" ");
    if (drawn !== mine) {
      drawn = mine;
      await Promise.all(urls.map(load));
      if (drawn !== mine) return false;
      frame.src = picture.frame;
      if (picture.overlay) overlay.src = picture.overlay;
    }
    frame.alt = picture.alt;
    frame.hidden = false;
    overlay.hidden = !picture.overlay || !picture.showOverlay;
    setText(figure.querySelector(".facts"), picture.facts);
    return true;
  }

  function blank() {
    drawn = "";
    frame.hidden = overlay.hidden = true;
    setText(figure.querySelector(".facts"), "");
  }

  return { draw, blank };
}

function load(url) {
  const image = new Image();
  image.src = url;
  return image.decode();
}

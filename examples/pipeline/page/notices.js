// Messages at the top of the page, one for each source. An error stays until the same source succeeds or the user
// closes it, because a message with a time limit cannot be read by everybody (WCAG 2.2.1).

import { byId } from "./dom.js";

const SUCCESS_MILLISECONDS = 6000;
const notices = new Map();

export function showError(source, text) {
  show(source, text, "alert");
}

export function showSuccess(source, text) {
  const notice = show(source, text, "status");
  setTimeout(() => notices.get(source) === notice && clear(source), SUCCESS_MILLISECONDS);
}

export function clear(source) {
  notices.get(source)?.remove();
  notices.delete(source);
}

function show(source, text, role) {
  const old = notices.get(source);
  if (old?.dataset.text === text) return old; // a screen reader reads it once
  clear(source);
  const notice = document.createElement("div");
  const close = document.createElement("button");
  notice.setAttribute("role", role);
  notice.dataset.text = text;
  close.type = "button";
  close.textContent = "Close";
  close.onclick = () => clear(source);
  notice.append(text, close);
  byId("notices").append(notice);
  notices.set(source, notice);
  return notice;
}

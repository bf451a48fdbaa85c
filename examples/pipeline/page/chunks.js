// The list of chunks. Names come from users, so they only ever become text.

import { byId, reconcile, setText } from "./dom.js";
import { detections, extraction } from "./jobs.js";

export function renderChunks(chunks, timeline, choose) {
  reconcile(byId("chunks"), chunks, (chunk) => chunk.key, createItem, (item, chunk) => {
    const [button] = item.children;
    const [name, day, summary] = button.children;
    const failed = extraction(chunk)?.state === "failed";
    setText(name, nameOf(chunk));
    setText(day, chunk.key.split("/")[1]);
    setText(summary, summaryOf(chunk));
    summary.classList.toggle("failed", failed);
    button.setAttribute("aria-current", String(chunk.timeline_id === timeline));
    button.onclick = () => choose(chunk.timeline_id);
  });
}

export const nameOf = (chunk) => chunk.key.split("/")[2];

function summaryOf(chunk) {
  const extracted = extraction(chunk);
  if (!extracted) return "Waiting for the worker";
  if (extracted.state === "failed") return `Failed: ${extracted.error}`;
  const jobs = detections(chunk);
  const running = jobs.find((job) => job.state === "running");
  if (running) return `Detection: ${running.done} of ${running.frames} frames`;
  return `${extracted.frames} frames, ${jobs.length} ${jobs.length === 1 ? "job" : "jobs"}`;
}

function createItem() {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.append(...["strong", "span", "small"].map((tag) => document.createElement(tag)));
  item.append(button);
  return item;
}

// Arrow up and down move the focus along the list.
byId("chunks").addEventListener("keydown", (event) => {
  const item = event.target.closest("li");
  const next = { ArrowUp: item?.previousElementSibling, ArrowDown: item?.nextElementSibling }[event.key];
  if (!next) return;
  event.preventDefault();
  next.querySelector("button").focus();
});

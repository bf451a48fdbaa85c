// Shows the state.

import { nameOf, renderChunks } from "./chunks.js";
import { byId, reconcile, setText } from "./dom.js";
import { extraction, namesOf } from "./jobs.js";
import { createPane } from "./pane.js";
import { chosenChunk, jobsOfChunk, resultOf, state } from "./state.js";
import { renderStrip } from "./strip.js";
import { renderTimeline } from "./timeline.js";

const figures = ["a", "b"].map((name) => document.querySelector(`figure.${name}`));
const panes = figures.map(createPane);

// Show the state. Resolve with true when the pictures are there; reject if one cannot be loaded.
export async function render(choose, show) {
  const message = messageOf(chosenChunk());
  const isEmpty = state.chunks?.length === 0;
  renderChunks(state.chunks ?? [], state.timeline, choose);
  byId("empty").hidden = !isEmpty;
  byId("state").hidden = !message;
  byId("viewer").hidden = isEmpty || Boolean(message);
  if (message) renderMessage(message);
  if (byId("viewer").hidden) {
    panes.forEach((pane) => pane.blank());
    return false;
  }
  return renderViewer(show);
}

// Return what is shown in place of frames; undefined if there are frames, or no chunks at all.
function messageOf(chunk) {
  if (!state.chunks) return { title: "Loading the list of videos" };
  if (!state.chunks.length) return undefined;
  if (!chunk) return { title: "Not in the bucket", text: "This link names a video that is not there. Choose one from the list." };
  const extracted = extraction(chunk);
  if (!extracted) return { title: "Waiting for the worker", text: "It looks for new videos every 2 seconds. The frames appear here." };
  if (extracted.state === "failed") return { title: "No frames", text: extracted.error, failed: true };
  return state.frames.length ? undefined : { title: "Loading the frames" };
}

function renderMessage({ title, text = "", failed = false }) {
  const [heading, paragraph] = byId("state").children;
  setText(heading, title);
  setText(paragraph, text);
  byId("state").classList.toggle("failed", failed);
}

async function renderViewer(show) {
  const { jobs, others, shown } = jobsOfChunk();
  const name = nameOf(chosenChunk());
  const facts = shown.length ? shown.map(factsOf) : ["not analyzed yet"];
  const shares = state.frames.map((_, index) => shown.map((job) => resultOf(job, index)?.share));
  setText(byId("name"), name);
  setText(byId("position"), `Frame ${state.index} of ${state.frames.length - 1}`);
  renderJobs(jobs, others, shown);
  renderTimeline(shares, state.index, [`frame ${state.index}`, ...facts].join(", "));
  renderStrip(state.frames, state.index, show);
  const drawn = await Promise.all(facts.map((text, place) => panes[place].draw({
    frame: state.frames[state.index].url,
    overlay: shown[place] && resultOf(shown[place], state.index)?.overlay.url,
    showOverlay: state.overlay,
    alt: `Frame ${state.index} of ${name}`,
    facts: text,
  })));
  return drawn.every(Boolean);
}

function renderJobs(jobs, others, shown) {
  const names = new Map(namesOf(jobs).map((name, index) => [jobs[index], name]));
  const fill = (select, choices, job) => {
    reconcile(select, choices, (choice) => choice.job_id, () => new Option(), (option, choice) => {
      option.value = choice.job_id;
      setText(option, names.get(choice));
    });
    select.disabled = !choices.length;
    select.value = job?.job_id ?? "";
  };
  fill(byId("job"), jobs, shown[0]);
  fill(byId("other"), others, shown[1]);
  byId("compare").disabled = !others.length;
  byId("compare").checked = shown.length > 1;
  byId("overlay").checked = state.overlay;
  setText(byId("why"), others.length ? "" : "needs a second job: run “replay” with another threshold");
  figures[1].hidden = shown.length < 2;
  if (figures[1].hidden) panes[1].blank();
}

function factsOf(job) {
  if (!state.results.has(job.job_id)) return "loading";
  const result = resultOf(job, state.index);
  if (!result) return "not analyzed yet";
  const boxes = result.boxes.length;
  return `${boxes} ${boxes === 1 ? "box" : "boxes"}, ${(100 * result.share).toFixed(1)} % of the pixels changed`;
}

// What the user does, and what happens then: the state changes, is shown, and what it lacks is loaded.

import { byId, setText } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { readLink, writeLink } from "./link.js";
import { loadChunks, loadTimeline } from "./load.js";
import { clear, showError } from "./notices.js";
import { createPlayer } from "./player.js";
import { jobsOfChunk, nothingLoaded, setIndex, state } from "./state.js";
import { listenToTimeline } from "./timeline.js";
import { listenToUploads } from "./upload.js";
import { render } from "./view.js";

const POLL_MILLISECONDS = 2000;

async function refresh() {
  if (state.frames.length) writeLink(linkOf(jobsOfChunk().shown));
  try {
    if (await render(chooseChunk, goTo)) clear("image");
  } catch {
    loadAgain();
  }
}

const linkOf = ([first, second]) => ({
  timeline: state.timeline,
  frame: state.index,
  job: first?.job_id,
  compare: second?.job_id,
  overlay: state.overlay ? undefined : "off",
});

// An address is valid for an hour, and frames can be deleted: have all addresses requested again by the next poll.
function loadAgain() {
  player.pause();
  showError("image", `Frame ${state.index} could not be loaded from the store. Its address is requested again.`);
  Object.assign(state, nothingLoaded());
  refresh();
}

// Load and show it; an error is shown until the same source succeeds.
async function update(source, load) {
  try {
    await load();
    clear(source);
  } catch (error) {
    showError(source, error.message);
  }
  await refresh();
}

async function poll() {
  await update("chunks", loadChunks);
  const uploaded = state.chunks?.find((chunk) => chunk.key === state.uploaded);
  const first = state.timeline ? undefined : state.chunks?.[0];
  if (uploaded) await chooseChunk(uploaded.timeline_id);
  else if (first) await chooseChunk(first.timeline_id, readLink());
  else await update("timeline", loadTimeline);
}

async function pollForever() {
  await poll();
  setTimeout(pollForever, POLL_MILLISECONDS);
}

function chooseChunk(timeline, link = { index: 0, job: "", other: "" }) {
  player.pause();
  Object.assign(state, link, nothingLoaded(), { timeline, uploaded: "" });
  refresh();
  return update("timeline", loadTimeline);
}

function change(values) {
  Object.assign(state, values);
  setIndex(state.index);
  return update("timeline", loadTimeline);
}

function goTo(index) {
  player.pause();
  setIndex(index);
  refresh();
}

const player = createPlayer(
  async () => {
    setIndex(state.index + 1);
    await refresh();
    return state.index < state.frames.length - 1;
  },
  (playing) => setText(byId("play"), playing ? "Pause" : "Play"),
);

function togglePlayer() {
  if (state.index === state.frames.length - 1) state.index = -1; // from the first frame again
  player.toggle();
}

byId("play").onclick = togglePlayer;
byId("previous").onclick = () => goTo(state.index - 1);
byId("next").onclick = () => goTo(state.index + 1);
byId("overlay").onchange = (event) => change({ overlay: event.target.checked });
byId("compare").onchange = (event) => change({ comparing: event.target.checked });
byId("job").onchange = (event) => change({ job: event.target.value });
byId("other").onchange = (event) => change({ other: event.target.value });
window.onhashchange = () => {
  const values = readLink();
  if (values.timeline === state.timeline) change(values);
  else chooseChunk(values.timeline, values);
};
listenToTimeline(goTo);
listenToKeys(() => state.frames.length > 0, {
  ArrowLeft: () => goTo(state.index - 1),
  ArrowRight: () => goTo(state.index + 1),
  Home: () => goTo(0),
  End: () => goTo(state.frames.length - 1),
  " ": togglePlayer,
});
listenToUploads((key) => {
  state.uploaded = key;
  poll();
});
pollForever();

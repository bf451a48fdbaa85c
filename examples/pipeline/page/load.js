// What is loaded from the server of the page, into the state.

import { getChunks, getDetections, getFrames } from "./api.js";
import { extraction } from "./jobs.js";
import { chosenChunk, jobsOfChunk, setIndex, state } from "./state.js";

export async function loadChunks() {
  state.chunks = await getChunks();
}

// Load the frames and results that are not there yet. An address that was loaded stays: with a new one, the browser
// would load the image again.
export async function loadTimeline() {
  const { timeline, frames } = state;
  const chunk = chosenChunk();
  if (!chunk || extraction(chunk)?.state !== "done") return;
  if (!frames.length) {
    const loaded = await getFrames(timeline);
    if (state.frames !== frames) return; // another chunk was chosen meanwhile
    state.frames = loaded;
    setIndex(state.index);
  }
  await Promise.all(jobsOfChunk().shown.map(loadResults));
}

async function loadResults(job) {
  const { results } = state;
  const known = results.get(job.job_id);
  if (known?.done === job.done) return;
  const found = new Map((await getDetections(job.job_id)).map((result) => [result.frame.key, result]));
  for (const [key, result] of known?.found ?? []) if (found.has(key)) found.set(key, result);
  results.set(job.job_id, { done: job.done, found });
}

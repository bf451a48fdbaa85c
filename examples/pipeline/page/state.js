// What the page shows, and what follows from it.

import { detections } from "./jobs.js";
import { readLink } from "./link.js";

export const state = {
  ...readLink(), // timeline, index, job, comparing, other, overlay
  chunks: null, // null: not loaded yet
  uploaded: "", // the key of a new chunk, to choose it as soon as it is in the list
  ...nothingLoaded(),
};

// `frames` are those of the timeline; `results` has for each job that was shown the number of frames that were done
// and the result of each frame.
export function nothingLoaded() {
  return { frames: [], results: new Map() };
}

export const chosenChunk = () => state.chunks?.find((chunk) => chunk.timeline_id === state.timeline);

// Return all jobs of the chunk, and those that are shown: none, one, or two to compare.
export function jobsOfChunk() {
  const chunk = chosenChunk();
  const jobs = chunk ? detections(chunk) : [];
  const first = jobs.find((job) => job.job_id === state.job) ?? jobs[0];
  const others = jobs.filter((job) => job !== first);
  const second = others.find((job) => job.job_id === state.other) ?? others[0];
  return { jobs, others, shown: [first, state.comparing ? second : undefined].filter(Boolean) };
}

export const resultOf = (job, index) => state.results.get(job.job_id)?.found.get(state.frames[index].key);

export function setIndex(index) {
  state.index = Math.max(0, Math.min(index, state.frames.length - 1));
}

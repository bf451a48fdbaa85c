// The jobs of a chunk, and the names that tell them apart.

export const extraction = (chunk) => chunk.jobs.find((job) => job.stage === "extract");
export const detections = (chunk) => chunk.jobs.filter((job) => job.stage === "detect");

// Return a name for each job: its threshold and its time, and the end of its identifier if these are the same.
export function namesOf(jobs) {
  const names = jobs.map(nameOf);
  return jobs.map((job, index) =>
    names.filter((name) => name === names[index]).length > 1 ? `${names[index]}, ${job.job_id.slice(-6)}` : names[index],
  );
}

function nameOf(job) {
  const progress = job.state === "done" ? "" : `, ${job.done} of ${job.frames} frames`;
  return `threshold ${job.threshold}, ${timeOf(new Date(job.at))}${progress}`;
}

function timeOf(date) {
  const time = date.toLocaleTimeString("en-GB");
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return date.toDateString() === new Date().toDateString() ? time : `${day} ${time}`;
}

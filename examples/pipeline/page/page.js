// Chunks at the left, frames below, the chosen frame with its overlay above them. Names come from people, so they
// only ever become text.

const at = (id) => document.getElementById(id);
const state = { timeline: "", frames: [], found: new Map(), index: 0 };

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : `status ${answer.status}`);
  return body;
}

function say(text) {
  at("said").textContent = text;
}

function summary(chunk) {
  const failed = chunk.jobs.find((job) => job.state === "failed");
  if (failed) return `failed: ${failed.error}`;
  const last = chunk.jobs.at(-1);
  if (!last) return "waiting for the worker";
  return last.stage === "detect" ? `${last.done} of ${last.frames} frames, ${jobs(chunk).length} jobs` : `${last.frames} frames`;
}

const jobs = (chunk) => chunk.jobs.filter((job) => job.stage === "detect");

async function refresh() {
  const chunks = await ask("/api/chunks");
  at("chunks").replaceChildren(...chunks.map((chunk) => {
    const button = document.createElement("button");
    const small = document.createElement("small");
    button.textContent = chunk.key.replace("chunks/", "");
    button.dataset.key = chunk.key;
    small.textContent = summary(chunk);
    button.append(small);
    button.setAttribute("aria-current", String(chunk.timeline_id === state.timeline));
    button.onclick = () => choose(chunk).catch((error) => say(error.message));
    return button;
  }));
}

async function choose(chunk) {
  state.timeline = chunk.timeline_id;
  state.index = 0;
  state.found = new Map();
  state.frames = await ask(`/api/timelines/${chunk.timeline_id}/frames`);
  at("hint").hidden = true;
  at("viewer").hidden = false;
  at("strip").replaceChildren(...state.frames.map((frame, index) => {
    const button = document.createElement("button");
    const image = document.createElement("img");
    image.src = frame.url;
    image.alt = `frame ${index}`;
    button.append(image);
    button.onclick = () => show(index);
    return button;
  }));
  at("job").replaceChildren(...jobs(chunk).map((job) => new Option(`${job.job_id.slice(-12)} (threshold ${job.threshold})`, job.job_id)));
  await load();
  await refresh();
}

async function load() {
  const job = at("job").value;
  const found = job ? await ask(`/api/jobs/${job}`) : [];
  state.found = new Map(found.map((one) => [one.frame.key, one]));
  show(state.index);
}

function show(index) {
  const frame = state.frames[index];
  const found = state.found.get(frame.key);
  state.index = index;
  at("frame").src = frame.url;
  at("overlay").hidden = !found || !at("shown").checked;
  if (found) at("overlay").src = found.overlay.url;
  const boxes = found?.boxes.length;
  at("facts").textContent = found
    ? `frame ${index}: ${boxes} ${boxes === 1 ? "box" : "boxes"}, ${(100 * found.share).toFixed(1)} % of the pixels changed`
    : `frame ${index}`;
  [...at("strip").children].forEach((one, place) => one.setAttribute("aria-current", String(place === index)));
}

// The browser sends the bytes straight to the store; XMLHttpRequest, because fetch tells no progress of uploads.
function put(url, type, file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => {
      at("progress").value = event.loaded / event.total;
    };
    request.onload = () => (request.status === 200 ? resolve() : reject(new Error(`the store answered ${request.status}`)));
    request.onerror = () => reject(new Error("the store cannot be reached, or does not let this page upload (CORS)"));
    request.send(file);
  });
}

at("upload").onsubmit = async (event) => {
  event.preventDefault();
  const file = at("file").files[0];
  at("progress").value = 0;
  at("progress").hidden = false;
  say("");
  try {
    const asked = { name: file.name, content_type: file.type || "video/mp4" };
    const signed = await ask("/api/uploads", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
    });
    await put(signed.url, signed.content_type, file);
    say(`uploaded ${signed.key}`);
    await refresh();
  } catch (error) {
    say(error.message);
  }
};

at("shown").onchange = () => show(state.index);
at("job").onchange = () => load().catch((error) => say(error.message));
setInterval(() => refresh().catch((error) => say(error.message)), 2000);
refresh().catch((error) => say(error.message));

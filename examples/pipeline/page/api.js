// Requests to the server of the page. Each one that fails has an error whose message is a sentence to show.

async function request(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("The server of this page does not respond: start “make example” again.");
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  throw new Error(typeof body.detail === "string" ? body.detail : `The server of this page responded with status ${response.status}.`);
}

export const getChunks = () => request("/api/chunks");
export const getFrames = (timeline) => request(`/api/timelines/${timeline}/frames`);
export const getDetections = (job) => request(`/api/jobs/${job}`);

export const signUpload = (file) =>
  request("/api/uploads", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: file.name, content_type: file.type || "video/mp4" }),
  });

// Uploads by the file dialog and by drag and drop. The browser sends the bytes straight to the store.

import { signUpload } from "./api.js";
import { byId, setText } from "./dom.js";
import { clear, showError, showSuccess } from "./notices.js";

let running = false;

// `uploaded` is called with the key of each new chunk.
export function listenToUploads(uploaded) {
  byId("choose").onclick = () => byId("file").click();
  byId("file").onchange = async () => {
    await upload([...byId("file").files], uploaded);
    byId("file").value = ""; // so that the same file can be chosen again
  };
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", !running);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    upload([...event.dataTransfer.files], uploaded);
  });
}

async function upload(files, uploaded) {
  if (running) return showError("upload", "An upload is running. Drop the video again when it is done.");
  clear("upload");
  const hadFocus = document.activeElement === byId("choose");
  setRunning(true);
  const failures = [];
  for (const file of files) {
    try {
      uploaded(await send(file));
    } catch (error) {
      failures.push(`${file.name} was not uploaded: ${error.message}`);
    }
  }
  setRunning(false);
  if (hadFocus && document.activeElement === document.body) byId("choose").focus(); // a disabled button loses it
  if (failures.length) showError("upload", failures.join(" "));
  else showSuccess("upload", `Uploaded ${files.map((file) => file.name).join(", ")}.`);
}

function setRunning(value) {
  running = value;
  byId("choose").disabled = value;
  byId("sending").hidden = !value;
}

async function send(file) {
  const show = (share) => {
    byId("progress").value = share;
    setText(byId("sent"), `${file.name}: ${Math.floor(100 * share)} %`);
  };
  show(0);
  const signed = await signUpload(file);
  await put(signed.url, signed.content_type, file, show);
  return signed.key;
}

// XMLHttpRequest, because `fetch` does not report the progress of an upload.
function put(url, type, file, show) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => show(event.loaded / event.total);
    request.onload = () =>
      request.status === 200 ? resolve() : reject(new Error(`the store responded with status ${request.status}.`));
    request.onerror = () =>
      reject(new Error("the store cannot be reached, or it does not allow uploads from this page (CORS)."));
    request.send(file);
  });
}

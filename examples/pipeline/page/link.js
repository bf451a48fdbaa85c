// The part of the address after `#` names what the page shows, so that a link opens the same frame.

const IDLE_MILLISECONDS = 300; // browsers limit how often the address may change
let timer = 0;

export function readLink() {
  const values = new URLSearchParams(location.hash.slice(1));
  return {
    timeline: values.get("timeline") ?? "",
    index: Math.max(0, Math.trunc(Number(values.get("frame"))) || 0),
    job: values.get("job") ?? "",
    comparing: values.has("compare"),
    other: values.get("compare") ?? "",
    overlay: values.get("overlay") !== "off",
  };
}

// Write the address when nothing has changed for a moment: not while the strip plays.
export function writeLink(values) {
  clearTimeout(timer);
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  const hash = `#${new URLSearchParams(present)}`;
  if (hash !== location.hash) timer = setTimeout(() => history.replaceState(null, "", hash), IDLE_MILLISECONDS);
}

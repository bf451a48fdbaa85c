// The keys of the page. A control keeps those that it uses itself: all in a list of jobs, Space on a button.

export function listenToKeys(isEnabled, actions) {
  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    const isModified = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    const controls = event.key === " " ? "select, input, button" : "select";
    if (!action || isModified || event.target.closest(controls) || !isEnabled()) return;
    event.preventDefault();
    action();
  });
}

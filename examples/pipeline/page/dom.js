// Changes of the document that leave alone what stays the same, so that live updates keep focus and selection.

export const byId = (id) => document.getElementById(id);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Give `parent` one child for each item. A child whose key stays is updated in place.
export function reconcile(parent, items, keyOf, create, update) {
  const keys = new Set(items.map(keyOf));
  for (const child of [...parent.children]) if (!keys.has(child.dataset.key)) child.remove();
  const children = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const child = children.get(keyOf(item)) ?? create();
    child.dataset.key = keyOf(item);
    update(child, item, index);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

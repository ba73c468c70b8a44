// Builds small trees and patches the page in place, so that focus, scroll and open parts stay as they are.

const SVG = 'http://www.w3.org/2000/svg';

function build(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(3).filter((c) => c != null && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  node.normalize();
  return node;
}

export const h = (tag, attrs, ...children) => build(document.createElement(tag), attrs, children);
export const s = (tag, attrs, ...children) => build(document.createElementNS(SVG, tag), attrs, children);

const key = (node) => node?.dataset?.clave;

/** Makes `have` look like `want`. Children with `data-clave` are matched by it, the others by place. */
export function morph(have, want) {
  if (have.nodeName !== want.nodeName || key(have) !== key(want)) {
    have.replaceWith(want);
    return;
  }
  if (have.nodeType === Node.TEXT_NODE) {
    if (have.data !== want.data) have.data = want.data;
    return;
  }
  for (const { name, value } of want.attributes) {
    if (have.getAttribute(name) !== value) have.setAttribute(name, value);
  }
  for (const { name } of [...have.attributes]) {
    if (!want.hasAttribute(name)) have.removeAttribute(name);
  }
  const keyed = new Map([...have.children].filter(key).map((c) => [key(c), c]));
  // A copy: a child that is new here leaves `want` for `have`.
  const children = [...want.childNodes];
  children.forEach((child, i) => {
    const here = have.childNodes[i] ?? null;
    const known = keyed.get(key(child));
    if (known) {
      if (known !== here) have.insertBefore(known, here);
      morph(known, child);
    } else if (here && !key(here) && !key(child)) {
      morph(here, child);
    } else {
      have.insertBefore(child, here);
    }
  });
  while (have.childNodes.length > children.length) have.lastChild.remove();
}

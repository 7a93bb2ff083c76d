// The page as a description that is patched into the document in place, so that focus, selection and what
// is being typed survive every update. Text reaches the document as text nodes and attributes alone.

const SVG = "http://www.w3.org/2000/svg";
const known = new WeakMap(); // element -> its props

/**
 * Describe an element. `props` are attributes, except: `key` tells siblings apart, `on…` are event handlers,
 * and `initial` is an input's value or checked state when it is made, and again when the description's
 * changes while nobody is in the input. Children are descriptions, text or numbers; null, undefined and
 * false are left out.
 */
export function h(tag, props = {}, ...children) {
  return { tag, key: props.key, props, children: flat(children) };
}

/** Make the children of `parent` what `children` describe. */
export function patch(parent, ...children) {
  const focused = document.activeElement;
  update(parent, flat(children));
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

function update(parent, children) {
  const left = [...parent.childNodes];
  const nodes = children.map((child) => take(left, child) ?? make(parent, child));
  for (const node of left) node.remove();
  let place = parent.firstChild;
  nodes.forEach((node, index) => {
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
    fill(node, children[index]);
  });
}

/** The old node that stands for `child`, taken out of `left`. */
function take(left, child) {
  const index = left.findIndex((node) => stands(node, child));
  return index < 0 ? undefined : left.splice(index, 1)[0];
}

function stands(node, child) {
  if (child.tag === undefined) return node.nodeType === Node.TEXT_NODE;
  return node.localName === child.tag && known.get(node)?.key === child.key;
}

function make(parent, child) {
  if (child.tag === undefined) return document.createTextNode("");
  const drawn = child.tag === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  const element = drawn ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
  known.set(element, { key: child.key });
  return element;
}

function fill(node, child) {
  if (child.tag === undefined) {
    if (node.data !== String(child)) node.data = child;
    return;
  }
  const before = known.get(node);
  for (const name of new Set([...Object.keys(before), ...Object.keys(child.props)])) {
    if (before[name] !== child.props[name]) set(node, name, child.props[name]);
  }
  update(node, child.children);
  if (before.initial !== child.props.initial && node !== document.activeElement)
    begin(node, child.props.initial);
  known.set(node, { ...child.props, key: child.key });
}

function set(node, name, value) {
  if (name === "key" || name === "initial") return;
  if (name.startsWith("on")) node[name] = value ?? null;
  else if (value === undefined || value === null || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}

function begin(node, value) {
  if (typeof value === "boolean") node.checked = value;
  else node.value = value;
}

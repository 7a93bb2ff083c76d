// One question at a time, in a dialog.

import { Problem } from "./api.js";
import { h, patch } from "./dom.js";
import { button, problemBox } from "./parts.js";

const dialog = document.getElementById("dialog");

/**
 * Ask before something is done. `question`: `title`, `text`, `action` (what the button says), and, where words
 * are needed, `label` of a text field. `perform(text)` does it; what the API refuses is shown, and can be
 * tried again. Resolves once the dialog is closed, with whether it was done.
 */
export function ask(question, perform) {
  return new Promise((resolve) => {
    const asked = { ...question, busy: false, problem: null, done: false };
    const submit = async (event) => {
      event.preventDefault();
      const text = dialog.querySelector("textarea")?.value.trim();
      await attempt(asked, () => perform(text), draw);
      if (asked.done) dialog.close();
    };
    const draw = () => patch(dialog, form(asked, submit));
    patch(dialog);
    draw();
    dialog.addEventListener("close", () => resolve(asked.done), { once: true });
    dialog.showModal();
  });
}

async function attempt(asked, perform, draw) {
  Object.assign(asked, { busy: true, problem: null });
  draw();
  try {
    await perform();
    asked.done = true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    asked.problem = error;
  } finally {
    asked.busy = false;
    draw();
  }
}

function form({ title, text, action, label, busy, problem, danger }, onsubmit) {
  return h(
    "form",
    { onsubmit },
    h("h2", { id: "dialog-title" }, title),
    h("p", {}, text),
    label && h("label", { for: "dialog-text" }, label),
    label && h("textarea", { id: "dialog-text", required: true, maxlength: 200, rows: 3 }),
    problemBox(problem),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: danger ? "danger" : "primary", disabled: busy }, action),
      button("Leave it", () => dialog.close(), { autofocus: danger }),
    ),
  );
}

// The form that asks for the token.

import { Problem, get, useToken } from "./api.js";
import { h } from "./dom.js";
import { problemBox } from "./parts.js";

/** The form. `context.refusal` says why the last token is no longer taken; `context.signedIn(me)` goes on. */
export function open(context) {
  let problem = context.refusal;
  let busy = false;

  async function submit(event) {
    event.preventDefault();
    const token = event.target.elements.token.value.trim();
    [busy, problem] = [true, null];
    context.redraw();
    try {
      useToken(token);
      context.signedIn(await get("/me"));
    } catch (error) {
      useToken(null);
      if (!(error instanceof Problem)) throw error;
      problem = error;
    } finally {
      busy = false;
      context.redraw();
    }
  }

  return {
    title: "Sign in",
    focus: "token",
    draw: () => [
      h("h1", {}, "Sign in"),
      h(
        "form",
        { class: "signin", onsubmit: submit },
        h("label", { for: "token" }, "Token"),
        h("input", {
          id: "token",
          name: "token",
          type: "password",
          required: true,
          maxlength: 8000,
          pattern: "\\s*[!-~]+\\s*",
          title: "one word of letters, digits and signs",
          autocomplete: "off",
          spellcheck: "false",
          "aria-describedby": "token-help",
        }),
        h(
          "p",
          { id: "token-help", class: "help" },
          "The first tokens are in tokens.json in the data directory. Yours stays in this tab until you sign out or close it. One of the scope fleet also lets Temporal's UI decode payloads in this browser, until you sign out or for twelve hours.",
        ),
        problemBox(problem),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "submit", class: "primary", disabled: busy }, "Sign in"),
        ),
      ),
    ],
  };
}

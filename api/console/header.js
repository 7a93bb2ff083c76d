// What stands above every view: the way to the others, and who is signed in.

import { h } from "./dom.js";
import { button } from "./parts.js";

const LINKS = [
  ["trips", "Trips", () => true],
  ["attention", "Needs attention", () => true],
  ["breakers", "Breakers", (me) => me.scopes.includes("fleet")],
  ["dead-letters", "Dead letters", (me) => me.broker && me.scopes.includes("fleet")],
  ["lab", "Lab", (me) => me.lab && me.scopes.includes("fleet")],
  ["acts", "Acts", (me) => me.scopes.includes("operator") || me.scopes.includes("fleet")],
  ["book", "Book a trip", () => true],
];

/** The header; `waiting` says how many trips need attention, `me` is null before the sign-in. */
export function header({ me, waiting }, here, signOut) {
  const brand = h(
    "p",
    { class: "brand" },
    h("img", { src: new URL("icon.svg", import.meta.url).href, alt: "", width: 22, height: 22 }),
    "Trip booking",
  );
  if (!me) return brand;
  const links = LINKS.filter(([, , fits]) => fits(me));
  return [
    brand,
    h(
      "nav",
      { "aria-label": "Views" },
      links.map(([name, text]) =>
        h(
          "a",
          { key: name, href: `#/${name}`, "aria-current": here === name && "page" },
          text,
          name === "attention" && waiting && h("span", { class: "badge" }, ` ${waiting}`),
        ),
      ),
    ),
    h(
      "p",
      { class: "who" },
      h("a", { href: me.temporal_ui, target: "_blank", rel: "noopener noreferrer" }, "Temporal UI"),
      h("span", {}, `${me.name} (${me.tenant})`),
      button("Sign out", signOut, { kind: "plain" }),
    ),
  ];
}

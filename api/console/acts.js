// Acts: who did or tried what.

import { get } from "./api.js";
import { h } from "./dom.js";
import { pages, table } from "./parts.js";
import { moment, words } from "./words.js";

const PAGE = 50;
const HERE = "#/acts";

/** The list, the newest first; its page stands in the address. */
export function open({ query }) {
  let page = null;
  return {
    title: "Acts",
    refresh: async () => {
      page = await get(`/acts?${new URLSearchParams({ ...query, limit: PAGE })}`);
    },
    draw: () => [
      h("h1", {}, "Acts"),
      h(
        "p",
        { class: "lead" },
        "Who did or tried what, the newest first. What was done again within a minute is counted in one row.",
      ),
      page && list(page),
      page && pages(query.cursor && ["Newest", HERE], page.next_cursor && ["Older", after(page.next_cursor)]),
    ],
  };
}

function after(cursor) {
  return `${HERE}?${new URLSearchParams({ cursor })}`;
}

function list({ items }) {
  if (items.length === 0) return h("p", { class: "empty" }, "No acts here.");
  return table("Acts", ["When", "Who", "Tenant", "Act", "Of", "Outcome", "Times"], items.map(row));
}

function row({ act_id: id, at, who, tenant, action, target, outcome, times }) {
  const cells = [moment(at), who ?? "unknown", tenant ?? "", words(action), target ?? "", outcome, times];
  return h(
    "tr",
    { key: id },
    cells.map((text) => h("td", {}, text)),
  );
}

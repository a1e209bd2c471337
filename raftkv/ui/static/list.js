// Views that are one list: a search field, a table, and a page of it at a time. The address says which page, of which search.

import { card, h, setText } from "./dom.js";
import { finder, pager, table } from "./table.js";

const PAGE = 50;

/**
 * A view of a list that the node answers in pages.
 *
 * name: the view's own, and what its rows are called. title: in the menu. heading: above the table. search: what stands in an empty search field.
 * rows(): what `table` is told, anew for each time the view is opened. items(answer): the rows of this page. note(answer, find): what stands beside the heading.
 */
export function list({ name, title, heading = title, search, rows: told, items, note: words }) {
  return {
    title,

    open(content, parameters, { go }) {
      let find = parameters.find ?? "";
      let offset = Number(parameters.offset ?? 0);
      const rows = table(told());
      const pages = pager(name, PAGE, (to) => change({ offset: to }));
      const note = h("span", { class: "note" });
      const field = finder(search, find, (text) => change({ find: text, offset: 0 }));
      content.append(card(heading, { note, right: field }, rows.element, pages.element));

      function change(changed) {
        ({ find = find, offset = offset } = changed);
        go(name, { find, offset: offset || "" }, true);
        running.again({ find, offset, limit: PAGE });
      }

      const running = {
        parameters: { find, offset, limit: PAGE },
        update(answer) {
          rows.update(items(answer));
          pages.update(offset, answer.found);
          setText(note, words(answer, find));
        },
      };
      return running;
    },
  };
}

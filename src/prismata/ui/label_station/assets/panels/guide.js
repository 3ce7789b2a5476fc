// What the domain says about its events: which moment exactly is meant, and how it looks.

import { element } from "../dom.js";

/**
 * @param {HTMLElement} host
 * @param {{title: string, guide: string, event_types: {name: string, title: string, kind: string, color: string, key: string, guide: string, limits: string, pictures: {name: string, caption: string}[]}[]}} domain
 * @param {(name: string) => string} pictureUrl
 */
export function showGuide(host, domain, pictureUrl) {
  host.replaceChildren(
    element("h3", {}, domain.title),
    ...(domain.guide ? [element("p", {}, domain.guide)] : []),
    element(
      "dl",
      { class: "guide" },
      ...domain.event_types.flatMap((type) => [
        element(
          "dt",
          {},
          element("i", { class: `mark ${type.kind}`, style: `--lane: ${type.color}` }, type.key.toUpperCase()),
          type.title,
        ),
        element(
          "dd",
          {},
          type.guide || "No rule was written for this event.",
          " ",
          element("span", { class: "soft" }, type.kind === "point" ? "One instant." : "A stretch: hold the key while it lasts.", type.limits && ` ${type.limits}`),
          ...type.pictures.map(({ name, caption }) =>
            element(
              "figure",
              {},
              element("img", { src: pictureUrl(name), loading: "lazy", alt: caption || type.title }),
              element("figcaption", { class: "soft" }, caption || type.title),
            ),
          ),
        ),
      ]),
    ),
  );
}

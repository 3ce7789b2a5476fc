// What the inbox says: why a card is there, and how good the rest is.

/** @typedef {import("./inbox.js").Card} Card */
/** @typedef {import("./inbox.js").Rest} Rest */

/** @type {Record<string, string>} */
const WHY = {
  score: "score near the threshold",
  models: "another model disagrees",
  edges: "edges unclear",
  place: "new recording",
  novelty: "unlike what is labelled",
};

/**
 * Why a card is in the queue, in a few words each.
 *
 * @param {Card} card
 * @returns {string[]}
 */
export function chipsOf({ reason, stratum, why }) {
  const chips = reason === "control" ? ["random control"] : why.map((name) => WHY[name] ?? name);
  if (stratum === "near") chips.push("just below the threshold");
  if (stratum === "far") chips.push("far below the threshold");
  if (stratum === "unseen") chips.push("the model saw nothing here");
  return chips;
}

/**
 * A range of numbers as people read it.
 *
 * @param {[number, number]} range
 */
export function rangeOf([low, high]) {
  return low === high ? `${low}` : `${low}–${high}`;
}

/** @param {[number, number] | null} range shares */
export function percentOf(range) {
  if (!range) return "–";
  const [low, high] = range.map((share) => Math.round(share * 100));
  return low === high ? `${low} %` : `${low}–${high} %`;
}

/**
 * How many items are open, in words.
 *
 * @param {Rest} rest
 */
export function openWords({ open }) {
  const below = (open.near ?? 0) + (open.far ?? 0);
  return `${open.shown} open · ${below} below the threshold · ${open.unseen} quiet stretches`;
}

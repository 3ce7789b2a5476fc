// Finding events among very many: arrays of numbers in order of time, searched by halves. Pure.

/** @typedef {{id: string, start_us: number, end_us: number, event_type: string}} Timed */

/**
 * The first index whose value is at least `wanted`.
 *
 * @param {ArrayLike<number>} values increasing
 * @param {number} wanted
 * @param {number} [length] how many of them count
 */
export function lowerBound(values, wanted, length = values.length) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Events of one lane, in order of their starts.
 *
 * @template {Timed} T
 */
export class LaneIndex {
  /** @param {T[]} events in order of their starts */
  constructor(events) {
    this.events = events;
    const count = events.length;
    this.starts = new Float64Array(count);
    this.ends = new Float64Array(count);
    /** The latest end up to here; grows, so that it can be searched though ends do not. */
    this.reach = new Float64Array(count);
    let reach = -Infinity;
    for (let i = 0; i < count; i++) {
      this.starts[i] = events[i].start_us;
      this.ends[i] = events[i].end_us;
      reach = Math.max(reach, events[i].end_us);
      this.reach[i] = reach;
    }
  }

  /**
   * The indices `[first, stop)` among which all events that touch `[startUs, endUs]` are.
   *
   * @param {number} startUs
   * @param {number} endUs
   */
  range(startUs, endUs) {
    return { first: lowerBound(this.reach, startUs), stop: lowerBound(this.starts, endUs + 1) };
  }

  /**
   * Draw what touches a stretch: boxes that end in the pixel where the one before ended are one.
   *
   * @param {number} startUs
   * @param {number} endUs
   * @param {number} usPerPx
   * @param {(first: number, last: number, startUs: number, endUs: number) => void} draw gets runs of
   *   indices; `first === last` for an event that stands alone
   */
  eachBox(startUs, endUs, usPerPx, draw) {
    const { first, stop } = this.range(startUs, endUs);
    let from = -1;
    let last = -1;
    let boxStart = 0;
    let boxEnd = 0;
    for (let i = first; i < stop; i++) {
      const start = this.starts[i];
      const end = this.ends[i];
      if (end < startUs) continue;
      // Only specks are merged: two long events that touch stay two.
      if (from >= 0 && Math.max(end, boxEnd) - boxStart < usPerPx) {
        last = i;
        boxEnd = Math.max(boxEnd, end);
        continue;
      }
      if (from >= 0) draw(from, last, boxStart, boxEnd);
      from = last = i;
      boxStart = start;
      boxEnd = end;
    }
    if (from >= 0) draw(from, last, boxStart, boxEnd);
  }
}

/**
 * One index for each event type that has events.
 *
 * @template {Timed} T
 * @param {T[]} events in order of their starts
 * @returns {Map<string, LaneIndex<T>>}
 */
export function indexByType(events) {
  /** @type {Map<string, T[]>} */
  const lists = new Map();
  for (const event of events) {
    const list = lists.get(event.event_type);
    if (list) list.push(event);
    else lists.set(event.event_type, [event]);
  }
  return new Map([...lists].map(([name, list]) => [name, new LaneIndex(list)]));
}

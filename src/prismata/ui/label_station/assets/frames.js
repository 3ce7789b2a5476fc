// Which frame is on screen at which time. Nobody else in the browser calculates with frames.

/** Times of the browser and of the table may differ by this much; both are rounded. */
const SLACK_US = 1000;

export class FrameTable {
  /**
   * @param {Float64Array} edges microseconds: the start of each frame, and the end of the last one
   */
  constructor(edges) {
    /** @type {Float64Array} */
    this.edges = edges;
    /** How many frames there are. */
    this.count = edges.length - 1;
    if (this.count < 1) throw new Error("This video has no frames, so there is nothing to show.");
  }

  /**
   * @param {Uint32Array} steps how long each frame stays, in microseconds, in order of display
   */
  static fromSteps(steps) {
    const edges = new Float64Array(steps.length + 1);
    for (let index = 0; index < steps.length; index++) edges[index + 1] = edges[index] + steps[index];
    return new FrameTable(edges);
  }

  /** The end of the last frame, in microseconds. */
  get durationUs() {
    return this.edges[this.count];
  }

  /**
   * @param {number} index
   * @returns {number} when the frame appears, in microseconds
   */
  startUs(index) {
    return this.edges[this.clamp(index)];
  }

  /**
   * @param {number} index
   * @returns {number} when the frame leaves, in microseconds; at this time the next one is shown
   */
  endUs(index) {
    return this.edges[this.clamp(index) + 1];
  }

  /**
   * @param {number} index
   * @returns {number} the middle of the time for which the frame is shown
   */
  middleUs(index) {
    return (this.startUs(index) + this.endUs(index)) / 2;
  }

  /**
   * @param {number} us
   * @returns {number} the frame on screen at an instant; before the first the first, after the last the last
   */
  indexAt(us) {
    const { edges } = this;
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (edges[middle] <= us) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /**
   * The frame a browser means by a time it tells. It rounds, so a time just before the start of a
   * frame means that frame: by up to a millisecond, or a quarter of a shorter frame.
   *
   * @param {number} us
   */
  indexTold(us) {
    const index = this.indexAt(us);
    if (index + 1 >= this.count) return index;
    const slack = Math.min(SLACK_US, (this.endUs(index) - this.startUs(index)) / 4);
    return us + slack >= this.edges[index + 1] ? index + 1 : index;
  }

  /**
   * @param {number} us
   * @returns {number} the nearest time at which the picture changes, the start and end of the video among them
   */
  nearestEdge(us) {
    const index = this.indexAt(us);
    const before = this.edges[index];
    const after = this.edges[index + 1];
    return us - before <= after - us ? before : after;
  }

  /** @param {number} index */
  clamp(index) {
    return Math.min(this.count - 1, Math.max(0, Math.round(index)));
  }
}

// Moving the stretch that a timeline shows.

/** @typedef {import("./view.js").View} View */

export class Viewport extends EventTarget {
  /** @param {View} view */
  constructor(view) {
    super();
    this.view = view;
    this.playheadUs = 0;
  }

  /** Called whenever the view moved. */
  onView() {}

  /** Whether nobody is moving the view by hand. */
  get isLeftAlone() {
    return true;
  }

  /**
   * @param {number} factor above 1 = closer
   * @param {number} [anchorUs] stays where it is; by default the playhead, if it is in view
   */
  zoomBy(factor, anchorUs) {
    const { startUs, endUs } = this.view;
    const inView = this.playheadUs >= startUs && this.playheadUs <= endUs;
    this.told(this.view.zoomBy(factor, anchorUs ?? (inView ? this.playheadUs : undefined)));
  }

  /** @param {number} share of what is shown; later = positive */
  panBy(share) {
    this.told(this.view.panByUs(share * this.view.spanUs));
  }

  /** @param {number} startUs */
  panTo(startUs) {
    this.told(this.view.panByUs(startUs - this.view.startUs));
  }

  /**
   * Show a stretch with some room around it.
   *
   * @param {number} startUs
   * @param {number} endUs
   */
  fit(startUs, endUs) {
    const room = Math.max((endUs - startUs) * 0.25, endUs > startUs ? 0 : 2e6);
    this.showView(startUs - room, endUs + room);
  }

  fitAll() {
    this.showView(0, this.view.durationUs);
  }

  /**
   * @param {number} startUs
   * @param {number} endUs
   */
  showView(startUs, endUs) {
    this.told(this.view.show(startUs, endUs));
  }

  /**
   * Keep an instant in view by turning the page; not while a person moves the view.
   *
   * @param {number} us
   */
  follow(us) {
    const { view } = this;
    const room = view.spanUs * 0.04;
    if (us >= view.startUs && us <= view.endUs - (view.endUs < view.durationUs ? room : 0)) return;
    if (!this.isLeftAlone) return;
    this.panTo(us - view.spanUs * 0.1);
  }

  /** @param {boolean} moved */
  told(moved) {
    if (moved) this.onView();
  }
}

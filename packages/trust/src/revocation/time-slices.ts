import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work on the event loop for at most about this long at a time: small beside the 20 ms that anybody may be kept waiting. */
const SLICE_MS = 3;
/** Looking at the clock costs as much as a step of the work: only every so many steps. */
const STEPS_BETWEEN_LOOKS = 256;

/** Lets everybody else have the event loop in between the steps of long work. One for each piece of work. */
export class TimeSlices {
  #since = performance.now();
  #steps = 0;

  /** Count one step; true when the work has lasted long enough and `rest()` is due. */
  get over(): boolean {
    this.#steps += 1;
    return this.#steps % STEPS_BETWEEN_LOOKS === 0 && performance.now() - this.#since > SLICE_MS;
  }

  async rest(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}

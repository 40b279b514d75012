/** The longest delay of `setTimeout`, in milliseconds. Node runs a timer with a longer one at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

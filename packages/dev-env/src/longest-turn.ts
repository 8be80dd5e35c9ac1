/**
 * The longest that one turn of the event loop was held while `work` ran, in CPU time of this thread: what others do on
 * the machine does not count, as it would on a clock.
 */
export async function longestTurn<T>(work: () => Promise<T>): Promise<{ result: T; longestMs: number }> {
  let longest = 0;
  let since = process.threadCpuUsage();
  let pending: NodeJS.Immediate | undefined;
  const measure = () => {
    const { user, system } = process.threadCpuUsage(since);
    longest = Math.max(longest, user + system);
    since = process.threadCpuUsage();
  };
  const look = () => {
    measure();
    pending = setImmediate(look);
  };
  look();
  try {
    const result = await work();
    // Work that never waits for another turn ends before the first look.
    measure();
    return { result, longestMs: longest / 1000 };
  } finally {
    clearImmediate(pending);
  }
}

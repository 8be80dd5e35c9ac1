/**
 * May this delegate take this task? Every selector must be one of its tags or its name, and it must have said that it
 * supports the type (one that named no types supports all).
 */
export function accepts(
  delegate: { readonly name: string; readonly tags: readonly string[]; readonly supportedTaskTypes: readonly string[] },
  task: { readonly type: string; readonly selectors: readonly string[] },
): boolean {
  const { name, tags, supportedTaskTypes } = delegate;
  if (supportedTaskTypes.length > 0 && !supportedTaskTypes.includes(task.type)) return false;
  return task.selectors.every((selector) => selector === name || tags.includes(selector));
}

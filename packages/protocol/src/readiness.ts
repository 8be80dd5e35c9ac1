export const DEFAULT_NOT_SEEN_DAYS = 7;

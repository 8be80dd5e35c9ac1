import { LRUCache } from 'lru-cache';

/**
 * Keeps the `most` entries that were used last. Bounded by weight, each entry weighing one: bounded by number, an
 * LRUCache takes the room for all of them when it is made, megabytes that a start waits for and hardly ever needs.
 */
export function boundedCache<K extends {}, V extends {}>(most: number): LRUCache<K, V> {
  return new LRUCache<K, V>({ maxSize: most, sizeCalculation: () => 1 });
}

export * from './decision-table.ts';
export * from './reasons.ts';

// Fails when an import breaks the floors of docs/architecture.md, a package is undeclared or unused or something keeps a browser from loading.
import { browserRooms } from './rules/browser-rooms.ts';
import { declaredDependencies, unusedDependencies } from './rules/declared-dependencies.ts';
import { importFloors } from './rules/import-floors.ts';
import { report, repositoryFiles } from './rules/repository.ts';

const files = repositoryFiles();
report([...importFloors(files), ...declaredDependencies(files), ...unusedDependencies(files), ...browserRooms(files)]);

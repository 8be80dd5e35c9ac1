import { createLogger, readConfig, startManager } from '@sallyport/manager';

// A manager in a process of its own, for tests that kill it. Its settings come as JSON in the first argument; what it
// listens on goes to standard output as one line of JSON. It ends by itself when its standard input does.

const { config, secrets } = readConfig(JSON.parse(process.argv[2] ?? '{}') as Record<string, string>);
const manager = await startManager(config, secrets, createLogger('silent'));
const { publicAddress, mtlsAddress, firstOperatorKey } = manager;
process.stdout.write(`${JSON.stringify({ public: publicAddress.port, mtls: mtlsAddress.port, firstOperatorKey })}\n`);
process.stdin.resume();
process.stdin.once('end', () => void manager.stop());

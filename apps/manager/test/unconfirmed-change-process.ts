import { DevManager, TestAuthority } from '@sallyport/dev-env';

// A manager that is killed: it makes a change that takes itself back after 30 seconds, says so, and waits for its end.
// Argument: the data folder.

const [dataDirectory = ''] = process.argv.slice(2);
const dev = await DevManager.start({ dataDirectory });
const authority = await TestAuthority.create('Acme CA');
const { adminKey } = await dev.account('acme', { caCertificates: authority.certificatePem, mode: 'LOOSE' });
const endpoint = '/ng/api/agent/mtls/endpoint?accountIdentifier=acme';
const { mode } = await dev.must('PATCH', `${endpoint}&revertAfter=PT30S`, { mode: 'STRICT' });
process.stdout.write(`${JSON.stringify({ adminKey, mode })}\n`);

import {
  type CreateWebhookRequest,
  WEBHOOK_EVENT_TYPES,
  type Webhook,
  type WebhookDelivery,
  type WebhookEventType,
} from '@sallyport/protocol';
import { Command, Option } from 'commander';
import { confirmed, withYes } from '../confirmation.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { integerOption } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { type Session, type Tools, withApi } from '../session.ts';

const WEBHOOKS = '/ng/api/agent/mtls/webhooks';
const UUID = '0b4e5c1e-8f1d-4d47-9d0c-2f6a1c3f9b10';
/** A test is one attempt of at most 10 seconds, begun within one or two. */
const TEST_TAKES_MS = 20_000;
const LOOK_EVERY_MS = 500;

export function webhookCommand(tools: Tools): Command {
  const webhook = new Command('webhook').description(
    'where the account wants to be told of what happens to its endpoint',
  );

  example(webhook.command('list'), 'sallyport endpoint webhook list')
    .description('list the webhooks, and how they are doing')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const webhooks = await api.list<Webhook>('GET', WEBHOOKS, { query });
        output.list(webhooks, COLUMNS, 'There are no webhooks.');
        if (output.json) return;
        for (const { uuid, offReason } of webhooks) {
          if (offReason !== null) {
            output.warn('OFF', `${uuid} is switched off: ${offReason}. A test that is delivered switches it on again.`);
          }
        }
      }),
    );

  example(webhook.command('add'), 'sallyport endpoint webhook add https://hooks.example.com/sallyport')
    .description('add a webhook and show its signing secret: the only time that it can be seen')
    .argument('<url>', 'where to send events to, by https')
    .addOption(
      new Option('--event <type...>', 'send such events only; every event when not given').choices(WEBHOOK_EVENT_TYPES),
    )
    .action((url: string, { event }: { event?: WebhookEventType[] }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const body: CreateWebhookRequest = { url, ...(event !== undefined && { events: event }) };
        const { resource } = await api.call<Webhook>('POST', WEBHOOKS, {
          query: { accountIdentifier: account() },
          body,
        });
        output.result(resource, () =>
          fields([
            ['UUID', resource.uuid],
            ['URL', resource.url],
            ['Events', resource.events?.join(', ') ?? 'every event'],
            ['Secret', resource.secret ?? ''],
          ]),
        );
        output.note('Keep the secret now: it verifies that events come from here, and is not shown again.');
      }),
    );

  withYes(example(webhook.command('remove'), `sallyport endpoint webhook remove ${UUID} --yes`))
    .description('remove a webhook, with the events that wait for it')
    .argument('<webhook>', 'its uuid')
    .action((uuid: string, { yes }: { yes?: boolean }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        await confirmed(tools.terminal, `Remove the webhook "${uuid}"?`, yes);
        const { resource } = await api.call<boolean>('DELETE', `${WEBHOOKS}/${encodeURIComponent(uuid)}`, { query });
        output.result(resource, () => `Webhook "${uuid}" is removed.\n`);
      }),
    );

  example(webhook.command('test'), `sallyport endpoint webhook test ${UUID}`)
    .description('send a test event and wait for its outcome (exit code 6 when it is not delivered)')
    .argument('<webhook>', 'its uuid')
    .action((uuid: string, _options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const path = `${WEBHOOKS}/${encodeURIComponent(uuid)}/test`;
        const query = { accountIdentifier: session.account() };
        const { resource } = await session.api.call<WebhookDelivery>('POST', path, { query });
        const outcome = await outcomeOf(tools, session, resource);
        session.output.result(outcome, () =>
          outcome.state === 'DELIVERED'
            ? `Delivered: it answered ${outcome.status}.\n`
            : `Not delivered: ${whyNot(outcome)}.\n`,
        );
        if (outcome.state !== 'DELIVERED') tools.setExit(EXIT.conflict);
      }),
    );

  example(webhook.command('deliveries'), `sallyport endpoint webhook deliveries ${UUID} --limit 20`)
    .description('what was sent and what became of it, newest first')
    .argument('<webhook>', 'its uuid')
    .addOption(integerOption('--limit <number>', 'at most so many (50 when not given)', 1, 600))
    .action((uuid: string, { limit }: { limit?: number }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), limit };
        const path = `${WEBHOOKS}/${encodeURIComponent(uuid)}/deliveries`;
        output.list(await api.list<WebhookDelivery>('GET', path, { query }), DELIVERY_COLUMNS, 'Nothing was sent yet.');
      }),
    );

  return webhook;
}

async function outcomeOf(tools: Tools, { api, account }: Session, queued: WebhookDelivery): Promise<WebhookDelivery> {
  const path = `${WEBHOOKS}/${encodeURIComponent(queued.webhook)}/deliveries`;
  const until = tools.now() + TEST_TAKES_MS;
  for (;;) {
    const deliveries = await api.list<WebhookDelivery>('GET', path, { query: { accountIdentifier: account() } });
    const delivery = deliveries.find(({ id }) => id === queued.id);
    if (delivery === undefined) {
      throw new CliError('The test is not among the deliveries any more.', {
        code: 'TEST_LOST',
        exit: EXIT.conflict,
        remedy: 'Was the webhook removed meanwhile? List the webhooks.',
      });
    }
    if (delivery.state !== 'WAITING' || tools.now() > until) return delivery;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

const whyNot = ({ state, error }: WebhookDelivery): string =>
  state === 'WAITING' ? 'it still waits, look at the deliveries' : (error ?? 'no reason is known');

const COLUMNS = [
  { title: 'UUID', value: (row: Webhook) => row.uuid },
  { title: 'STATE', value: (row: Webhook) => row.state },
  { title: 'URL', value: (row: Webhook) => row.url },
  { title: 'EVENTS', value: (row: Webhook) => row.events?.join(', ') ?? 'every event' },
  {
    title: 'LAST SUCCESS',
    value: (row: Webhook) => (row.lastSuccessAt === null ? '-' : formatTime(row.lastSuccessAt)),
  },
  { title: 'WAITING', value: (row: Webhook) => String(row.waiting) },
  { title: 'DROPPED', value: (row: Webhook) => String(row.dropped) },
  { title: 'LAST FAILURE', value: lastFailure },
];

function lastFailure({ lastFailureAt, lastFailure: reason }: Webhook): string {
  return lastFailureAt === null ? '-' : `${formatTime(lastFailureAt)}: ${orDash(reason)}`;
}

const DELIVERY_COLUMNS = [
  { title: 'CREATED', value: (row: WebhookDelivery) => formatTime(row.createdAt) },
  { title: 'EVENT', value: (row: WebhookDelivery) => row.event },
  { title: 'STATE', value: (row: WebhookDelivery) => row.state },
  { title: 'ATTEMPTS', value: (row: WebhookDelivery) => String(row.attempts) },
  {
    title: 'NEXT',
    value: (row: WebhookDelivery) => (row.nextAttemptAt === null ? '-' : formatTime(row.nextAttemptAt)),
  },
  { title: 'STATUS', value: (row: WebhookDelivery) => orDash(row.status?.toString()) },
  { title: 'ERROR', value: (row: WebhookDelivery) => orDash(row.error) },
  { title: 'ID', value: (row: WebhookDelivery) => row.id },
];

import { Type } from 'typebox';
import type { Registration } from './app.ts';

export function healthRoutes(): Registration {
  return (app) => {
    app.get(
      '/healthz',
      {
        config: { access: 'public' },
        schema: { summary: 'OK while the process answers', response: { 200: Type.String() } },
      },
      async (_request, reply) => reply.type('text/plain').send('OK'),
    );
  };
}

import { Agent, request } from 'node:http';

/** The connections of before died with the server: each request makes its own, as many at once as files can be open. */
const agent = new Agent({ maxSockets: 1_000 });

/** `fetch` for requests without a body, at a fraction of its CPU. */
export const leanFetch = ((url: string, { method = 'GET', headers, signal }: RequestInit = {}) =>
  new Promise<Response>((resolve, reject) => {
    const sent = request(
      url,
      { method, agent, headers: Object.fromEntries(new Headers(headers)), signal: signal ?? undefined },
      (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.once('error', reject);
        answer.once('end', () => {
          const { 'content-type': type = '', 'retry-after': after } = answer.headers;
          resolve(
            new Response(Buffer.concat(pieces), {
              status: answer.statusCode!,
              headers: { 'content-type': type, ...(after === undefined ? {} : { 'retry-after': after }) },
            }),
          );
        });
      },
    );
    sent.once('error', reject);
    sent.end();
  })) as typeof fetch;

import { createInbox, headers, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { partSubject, requestSubject } from '@causeway/protocol';
import { BusDown, type Operation } from '@causeway/replica';
import { ASK, isOperation, nameOfError, type Answering } from './answering.ts';
import { askerOf } from './nats-inbox.ts';
import { Mailbox } from './nats-mailbox.ts';
import { formatPlace, IncomingParts, OutgoingParts, readPlace } from './parts.ts';
import { TIMINGS } from './timings.ts';

/**
 * One question and its answer, in parts. `Part: <index>/<total>` marks a part, `Have: <count>`
 * says how many have come without a gap, which lets the other side send more. The first part of
 * a question goes to whichever process takes it; from then on it is between the two: the asker
 * has its inbox, the answerer a subject of its own, which it names as the place for replies.
 *
 *   asker                         answerer
 *   ask   Operation, Part 0/2 ──►
 *                             ◄── Have 1
 *   part  Part 1/2            ──►
 *                             ◄── Part 0/20 … 7/20
 *   part  Have 1 … Have 8     ──►
 *                             ◄── Part 8/20 …
 */
const PART = 'Part';
const HAVE = 'Have';
const OPERATION = 'Operation';
/** The name of an error, in place of an answer. */
const ERROR = 'Error';

/** Processes of a region that answer share this queue group. */
const QUEUE = 'answerers';
const NO_RESPONDERS = 503;

const NOTHING = new Uint8Array();
const marked = (marks: Readonly<Record<string, string>>): MsgHdrs => {
  const all = headers();
  for (const [key, value] of Object.entries(marks)) all.set(key, value);
  return all;
};
const addTo = (parts: IncomingParts, { headers: marks, data }: Msg): void =>
  parts.add(readPlace(marks?.get(PART) ?? ''), data);
const haveOf = ({ headers: marks }: Msg): number => Number.parseInt(marks?.get(HAVE) ?? '', 10) || 0;

export type Question = {
  connection: NatsConnection;
  peer: string;
  inboxPrefix: string;
  operation: Operation;
  question: Uint8Array;
  /** Until the first word of an answer. */
  patienceMs: number;
};

/** See `Bus.ask`. Rejects with NoWord when the other side went silent. */
export async function askQuestion(asked: Question): Promise<Uint8Array> {
  const { connection, peer, operation } = asked;
  const mailbox = new Mailbox(connection, createInbox(asked.inboxPrefix));
  try {
    const question = new OutgoingParts(asked.question);
    const answer = new IncomingParts(ASK.answerBytes);
    const first = question.next();
    connection.publish(requestSubject(peer, 'ask'), first.bytes, {
      reply: mailbox.subject,
      headers: marked({ [OPERATION]: operation, [PART]: formatPlace(first.place) }),
    });
    let patienceMs = asked.patienceMs;
    while (!answer.complete) {
      const message = await mailbox.next(patienceMs);
      patienceMs = TIMINGS.askMs;
      assertNoError(message, peer);
      if (message.headers?.has(HAVE) === true)
        sendParts(connection, message.reply, question, haveOf(message));
      else {
        addTo(answer, message);
        if (!answer.complete && message.reply !== undefined && message.reply !== '')
          connection.publish(message.reply, NOTHING, { headers: marked({ [HAVE]: `${answer.have}` }) });
      }
    }
    return answer.join();
  } finally {
    mailbox.close();
  }
}

function assertNoError({ headers: marks }: Msg, peer: string): void {
  if (marks?.code === NO_RESPONDERS) throw new BusDown(`nobody answers for ${peer}`);
  const name = marks?.get(ERROR) ?? '';
  if (name !== '') throw new BusDown(`${peer} does not answer: ${name}`);
}

function sendParts(
  connection: NatsConnection,
  to: string | undefined,
  parts: OutgoingParts,
  have: number,
  reply?: string,
): void {
  if (to === undefined || to === '') throw new BusDown('nobody takes the parts');
  for (const { place, bytes } of parts.after(have))
    connection.publish(to, bytes, {
      headers: marked({ [PART]: formatPlace(place) }),
      ...(reply === undefined ? {} : { reply }),
    });
}

export type Answerer = { region: string; peers: readonly string[]; answering: Answering };

/** Answers peers' questions over this connection from now on. */
export function answerQuestions(connection: NatsConnection, { region, peers, answering }: Answerer): void {
  connection.subscribe(requestSubject(region, 'ask'), {
    queue: QUEUE,
    callback: (error, message) => {
      const asker = error === null ? askerOf(message.reply, peers) : undefined;
      if (asker !== undefined) void takeQuestion(connection, message, partSubject(region, asker), answering);
    },
  });
}

async function takeQuestion(
  connection: NatsConnection,
  asked: Msg,
  subject: string,
  answering: Answering,
): Promise<void> {
  const askedAt = performance.now();
  try {
    await answering.inTurn(async () => {
      const givenUp = performance.now() - askedAt >= TIMINGS.askMs;
      if (!givenUp) await answerQuestion(connection, asked, subject, answering);
    });
  } catch (error) {
    // To nobody, if the asker is silent; and not at all, if the connection is lost.
    try {
      asked.respond(NOTHING, { headers: marked({ [ERROR]: nameOfError(error) }) });
    } catch {
      // Closed, or being closed: nobody waits for this promise.
    }
  }
}

async function answerQuestion(
  connection: NatsConnection,
  asked: Msg,
  subject: string,
  answering: Answering,
): Promise<void> {
  const operation = asked.headers?.get(OPERATION) ?? '';
  if (!isOperation(operation)) throw new RangeError(`an operation ${operation}`);
  const mailbox = new Mailbox(connection, createInbox(subject));
  try {
    const question = new IncomingParts(ASK.questionBytes);
    addTo(question, asked);
    while (!question.complete) {
      asked.respond(NOTHING, { headers: marked({ [HAVE]: `${question.have}` }), reply: mailbox.subject });
      addTo(question, await mailbox.next());
    }
    const answer = new OutgoingParts(await answering.answer(operation, question.join()));
    sendParts(connection, asked.reply, answer, 0, mailbox.subject);
    while (!answer.done)
      sendParts(connection, asked.reply, answer, haveOf(await mailbox.next()), mailbox.subject);
  } finally {
    mailbox.close();
  }
}

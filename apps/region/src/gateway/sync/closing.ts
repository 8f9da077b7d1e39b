import { ERRORS, type CausewayError } from '@causeway/protocol';
import type { WebSocket } from 'ws';

/** What RFC 6455 leaves for the reason of a close; ws throws beyond it. */
const REASON_BYTES = 123;

/** Closes with the code of the error; what the client should do next is in the code's range. */
export function closeWith(socket: WebSocket, error: CausewayError): void {
  socket.close(ERRORS[error.code].close, clip(error.message));
}

/** The beginning of a text that fits into a close frame; no character is cut in two. */
export function clip(text: string): string {
  const bytes = new Uint8Array(REASON_BYTES);
  const { written } = new TextEncoder().encodeInto(text, bytes);
  return new TextDecoder().decode(bytes.subarray(0, written));
}

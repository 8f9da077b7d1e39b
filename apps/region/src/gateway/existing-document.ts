import {
  CausewayError,
  aboutScope,
  canvasName,
  canvasesScope,
  channelScope,
  segmentName,
  versionName,
  type Name,
} from '@causeway/protocol';
import { highestTop, type Replica } from '@causeway/replica';

/** The full name of a document that somebody created: otherwise any name would make one. */
export async function existingDocument(replica: Replica, name: Name): Promise<string> {
  if (name.kind === 'canvas') {
    const list = await replica.cells.open(canvasesScope(name.workspace));
    if (list.has(`canvas|${name.canvas}`)) return canvasName(name.workspace, name.canvas, name.generation);
    throw new CausewayError('not-here-yet', 'there is no such canvas in this region (yet)');
  }
  if (name.kind === 'version') {
    const about = await replica.cells.open(aboutScope(name.workspace, name.canvas));
    if (about.has(`version|${name.version}`)) return versionName(name.workspace, name.canvas, name.version);
    throw new CausewayError('not-here-yet', 'there is no such version in this region (yet)');
  }
  if (name.kind !== 'segment') throw new CausewayError('not-found', 'this is no document');
  const top = highestTop((await replica.cells.open(channelScope(name.workspace, name.channel))).values());
  if (name.segment > top + 1) throw new CausewayError('not-here-yet', `the newest segment is ${top}`);
  return segmentName(name.workspace, name.channel, name.segment);
}

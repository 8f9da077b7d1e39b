import { isId } from './ids.ts';

/**
 * Names of what replicates, documents and cell scopes alike: `<workspace>/<kind>/<id…>`.
 *
 *   acme/segment/general/3      document: the third stretch of a channel
 *   acme/canvas/Xy…             document: co-edited freely
 *   acme/canvas/Xy…@2           document: what took its place after it had diverged; @3, and so on
 *   acme/version/Xy…/Vb…        document: the canvas as it was, written once
 *   acme/channel/general        scope: newest segments, topic, purpose, pins, members of a direct channel
 *   acme/message/general/Qp…    scope: the reactions of one message
 *   acme/member/ada             scope: what only Ada sees (read markers, drafts, …)
 *   acme/about/Xy…              scope: title, rights and versions of a canvas
 *   acme/workspace/canvases     scope: the list of canvases
 *   acme/workspace/changes      the strong log: neither document nor scope, only what streams call it
 */
export type Name =
  | { kind: 'segment'; workspace: string; channel: string; segment: number }
  | { kind: 'canvas'; workspace: string; canvas: string; generation: number }
  | { kind: 'version'; workspace: string; canvas: string; version: string }
  | { kind: 'channel'; workspace: string; channel: string }
  | { kind: 'message'; workspace: string; channel: string; message: string }
  | { kind: 'member'; workspace: string; member: string }
  | { kind: 'about'; workspace: string; canvas: string }
  | { kind: 'workspace'; workspace: string; part: 'canvases' | 'changes' };

export const segmentName = (workspace: string, channel: string, segment: number): string =>
  `${workspace}/segment/${channel}/${segment}`;
/** The first generation has no number in its name. */
export const canvasName = (workspace: string, canvas: string, generation = 1): string =>
  `${workspace}/canvas/${canvas}${generation === 1 ? '' : `@${generation}`}`;
export const versionName = (workspace: string, canvas: string, version: string): string =>
  `${workspace}/version/${canvas}/${version}`;
export const channelScope = (workspace: string, channel: string): string => `${workspace}/channel/${channel}`;
export const messageScope = (workspace: string, channel: string, message: string): string =>
  `${workspace}/message/${channel}/${message}`;
export const memberScope = (workspace: string, member: string): string => `${workspace}/member/${member}`;
/** Title, rights and versions of a canvas. */
export const aboutScope = (workspace: string, canvas: string): string => `${workspace}/about/${canvas}`;
export const canvasesScope = (workspace: string): string => `${workspace}/workspace/canvases`;
export const changesName = (workspace: string): string => `${workspace}/workspace/changes`;

const SEGMENT_NUMBER = /^[1-9][0-9]{0,8}$/;
const GENERATION = /^(?:[2-9]|[1-9][0-9]{1,8})$/;

/** Takes a name apart; `undefined` for anything that is not one, whatever it holds. */
export function parseName(name: string): Name | undefined {
  const [workspace, kind, first, second, ...rest] = name.split('/');
  if (workspace === undefined || first === undefined || rest.length > 0 || !isId(workspace)) return undefined;
  if (kind === 'canvas') return second === undefined ? parseCanvas(workspace, first) : undefined;
  if (!isId(first)) return undefined;
  if (kind === 'segment' && second !== undefined && SEGMENT_NUMBER.test(second))
    return { kind, workspace, channel: first, segment: Number(second) };
  if (kind === 'message' && second !== undefined && isId(second))
    return { kind, workspace, channel: first, message: second };
  if (kind === 'version' && second !== undefined && isId(second))
    return { kind, workspace, canvas: first, version: second };
  if (second !== undefined) return undefined;
  if (kind === 'about') return { kind, workspace, canvas: first };
  if (kind === 'channel') return { kind, workspace, channel: first };
  if (kind === 'member') return { kind, workspace, member: first };
  if (kind === 'workspace' && (first === 'canvases' || first === 'changes'))
    return { kind, workspace, part: first };
  return undefined;
}

function parseCanvas(workspace: string, last: string): Name | undefined {
  const [canvas, generation, ...rest] = last.split('@');
  if (canvas === undefined || !isId(canvas) || rest.length > 0) return undefined;
  if (generation === undefined) return { kind: 'canvas', workspace, canvas, generation: 1 };
  return GENERATION.test(generation)
    ? { kind: 'canvas', workspace, canvas, generation: Number(generation) }
    : undefined;
}

export const workspaceOf = (name: string): string => name.slice(0, name.indexOf('/'));

/** Does the name stand for a document, and not for a scope of cells? A channel may be called `segment`. */
export function isDocument(name: string): boolean {
  const kind = parseName(name)?.kind;
  return kind === 'segment' || kind === 'canvas' || kind === 'version';
}

/**
 * The view of messages learns threads, mentions, and what may be unread. Rows without a segment lack
 * all of it: those of the version before, which may go on projecting beside this one. A projector
 * of this version that finds one begins a rebuild.
 */
export const STEP_6 = `
  -- segment: the lowest one that holds a copy. counted: it is shown in the channel, no mere reply.
  -- counting: author, copies and mentions as JSON. mark: build and position of the last change.
  alter table causeway.messages
    add column author text collate "C",
    add column segment int,
    add column counted boolean not null default false,
    add column counting text,
    add column mark text;
  create index messages_counting on causeway.messages (zone, channel, segment desc, t desc, id desc) where counted;
  create index messages_thread on causeway.messages (zone, channel, thread, t desc, id desc) include (author)
    where thread is not null;
  create index messages_unstated on causeway.messages (zone) where segment is null;

  -- The version before changes a message and leaves the mark as it is.
  create function causeway.message_was_written() returns trigger language plpgsql as $$
  begin
    new.segment := null;
    new.counted := false;
    return new;
  end $$;
  create trigger message_was_written before update on causeway.messages for each row
    when (new.mark is not distinct from old.mark) execute function causeway.message_was_written();

  -- One row for each member that a message names; '*' for @channel and @here.
  create table causeway.mentions (
    zone text collate "C" not null,
    workspace text collate "C" not null,
    member text collate "C" not null,
    t text collate "C" not null,
    id text collate "C" not null,
    channel text collate "C" not null,
    author text collate "C" not null,
    build int not null,
    primary key (zone, workspace, member, t, id, channel)
  ) with (fillfactor = 90);
  create index mentions_message on causeway.mentions (zone, channel, id);

  create index cells_follow on causeway.cells (zone, key) where key like 'follow|%';
  `;

/**
 * What events are read from: which commit changed a message, what was deleted, and how numbers of
 * commits go with times. Triggers number the messages, so that those count too which a process of
 * the version before projects while it still runs beside this one.
 */
export const STEP_5 = `
  alter table causeway.messages add column commit xid8 not null default '0';
  alter table causeway.messages alter commit set default pg_current_xact_id();

  -- What was deleted, in place of its message. The newest 100,000 of a zone; the older are forgotten (views.forgotten).
  create table causeway.gone (
    zone text collate "C" not null,
    channel text collate "C" not null,
    id text collate "C" not null,
    commit xid8 not null default pg_current_xact_id(),
    primary key (zone, channel, id)
  );
  alter table causeway.views add column forgotten xid8 not null default '0';

  create function causeway.message_changed() returns trigger language plpgsql as $$
  begin
    new.commit := pg_current_xact_id();
    return new;
  end $$;
  create trigger changed before update on causeway.messages
    for each row when ((old.t, old.message) is distinct from (new.t, new.message))
    execute function causeway.message_changed();
  create function causeway.message_gone() returns trigger language plpgsql as $$
  begin
    insert into causeway.gone as held (zone, channel, id) values (old.zone, old.channel, old.id)
    on conflict (zone, channel, id) do update set commit = excluded.commit;
    return null;
  end $$;
  create trigger gone after delete on causeway.messages
    for each row execute function causeway.message_gone();

  -- For a process that follows all its workspaces, and for a client that goes on in one.
  create index messages_changed on causeway.messages (zone, commit);
  create index messages_changed_in on causeway.messages (zone, split_part(channel, '/', 1), commit);
  create index gone_changed on causeway.gone (zone, commit);
  create index gone_changed_in on causeway.gone (zone, split_part(channel, '/', 1), commit);
  -- Of what is private to a member, read markers and drafts above all, there are no events.
  create index cells_changed_in on causeway.cells (zone, split_part(scope, '/', 1), commit)
    where split_part(scope, '/', 2) <> 'member' or split_part(key, '|', 1) in ('joined', 'direct');

  -- How far a peer's stream is applied: all that it committed before heard_at is at or below heard_commit.
  alter table causeway.cursors add column heard_at bigint, add column heard_commit xid8;

  -- Every 5 s for a day: what commits after the time at is above low; all from before the time whole is at or below high.
  create table causeway.marks (
    zone text collate "C" not null,
    high xid8 not null,
    at bigint not null,
    low xid8 not null,
    whole bigint not null,
    primary key (zone, high, at)
  );
  create index marks_at on causeway.marks (zone, at);
  `;

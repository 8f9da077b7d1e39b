/**
 * What a process of the version of step 1 writes, while it still runs beside this one: it knows nothing
 * of states, and changes a cell without the number of its commit. Triggers do both in its place, so
 * that the tail meets it and peers compare it. Rows of this version say that they need none of it
 * (column stated), which costs them one comparison. To be dropped a release later.
 */
export const STEP_4 = `
  alter table causeway.log add column stated boolean not null default false;
  alter table causeway.cells add column stated boolean not null default false;

  create function causeway.make_stale(of_zone text, of_name text, more_rows int, more_bytes bigint)
  returns void language sql as $$
    insert into causeway.states as held (zone, name, bucket, changes, rows, bytes, commit, at)
    values (of_zone, of_name, causeway.bucket_of(of_name), 1, more_rows, more_bytes, pg_current_xact_id(), now())
    on conflict (zone, name) do update set
      digest = null,
      changes = held.changes + 1,
      rows = held.rows + excluded.rows,
      bytes = held.bytes + excluded.bytes,
      commit = excluded.commit,
      at = excluded.at
  $$;

  create function causeway.log_was_written() returns trigger language plpgsql as $$
  begin
    perform causeway.make_stale(new.zone, new.name, 1, octet_length(new.bytes));
    return null;
  end $$;
  create trigger written_by_version_before after insert on causeway.log
    for each row when (not new.stated) execute function causeway.log_was_written();

  create function causeway.cell_was_written() returns trigger language plpgsql as $$
  begin
    new.commit := pg_current_xact_id();
    perform causeway.make_stale(new.zone, new.scope, 0, 0);
    return new;
  end $$;
  create trigger changed_by_version_before before update on causeway.cells
    for each row when (new.commit = old.commit) execute function causeway.cell_was_written();
  create trigger written_by_version_before after insert on causeway.cells
    for each row when (not new.stated) execute function causeway.cell_was_written();
  `;

CREATE SCHEMA version1;
CREATE TABLE version1.aggregate_versions (
    handler text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text NOT NULL COLLATE pg_catalog."C",
    last_sequence bigint DEFAULT 0 NOT NULL,
    updated_at timestamp with time zone DEFAULT now(),
    decided_number bigint,
    accepted_database bigint,
    accepted_class bigint,
    decided_database bigint,
    decided_class bigint,
    decided_incarnation bigint,
    outcome_slot bigint,
    outcome_offset bigint,
    outcome_shard integer,
    outcome_ordinal integer,
    outcome_length integer,
    outcome_crc32c integer,
    aggregate_type smallint,
    accepted_lifecycle smallint,
    decided_lifecycle smallint,
    pending_batch uuid,
    pending_number bigint,
    pending_database bigint,
    pending_class bigint,
    pending_lifecycle smallint,
    mark_event uuid,
    mark_since timestamp with time zone,
    mark_expires timestamp with time zone
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE version1.append_lock (
);
CREATE TABLE version1.claims_lock (
);
CREATE TABLE version1.event_index (
    event_id uuid NOT NULL,
    sequence_number bigint NOT NULL,
    slot bigint,
    offset_bytes bigint,
    outcome_slot bigint,
    outcome_offset bigint,
    shard integer,
    ordinal integer,
    length_bytes integer,
    crc32c integer,
    outcome_shard integer,
    outcome_ordinal integer,
    outcome_length integer,
    outcome_crc32c integer,
    aggregate_type smallint NOT NULL,
    event_type smallint NOT NULL,
    outcome_rejected boolean NOT NULL,
    batch uuid,
    outcome_batch uuid,
    request_sha256 bytea NOT NULL,
    aggregate_id text NOT NULL COLLATE pg_catalog."C"
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE version1.leases (
    name text NOT NULL COLLATE pg_catalog."C",
    owner text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE version1.parked_aggregates (
    handler text NOT NULL COLLATE pg_catalog."C",
    aggregate_type smallint NOT NULL,
    aggregate_id text NOT NULL COLLATE pg_catalog."C",
    first_number bigint NOT NULL,
    event_id uuid NOT NULL,
    parked_at timestamp with time zone NOT NULL,
    reason text NOT NULL
);
CREATE TABLE version1.processed_events (
    handler text NOT NULL COLLATE pg_catalog."C",
    event_id text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text COLLATE pg_catalog."C",
    sequence_number bigint,
    status text NOT NULL,
    started_at timestamp with time zone DEFAULT now(),
    owner text,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    processed_at timestamp with time zone,
    attempt_count integer DEFAULT 1 NOT NULL,
    last_error text,
    aggregate_type smallint,
    partition integer,
    generation bigint
);
CREATE TABLE version1.published (
    shard integer NOT NULL,
    slot bigint NOT NULL,
    ends bytea NOT NULL
);
CREATE TABLE version1.registry_control (
    one boolean DEFAULT true NOT NULL,
    log_id uuid,
    fenced_incarnation text DEFAULT ''::text NOT NULL,
    next_slot bigint DEFAULT 1 NOT NULL,
    CONSTRAINT registry_control_one_check CHECK (one)
)
WITH (fillfactor='10');
CREATE TABLE version1.registry_schema (
    version integer NOT NULL,
    handler_prefix text NOT NULL
);
CREATE TABLE version1.reservations (
    batch uuid NOT NULL,
    slot bigint NOT NULL,
    reserved_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    retry_after timestamp with time zone NOT NULL,
    writer text NOT NULL,
    resolver text NOT NULL,
    aggregates bytea NOT NULL,
    commands bytea NOT NULL,
    outcomes bytea NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
ALTER TABLE ONLY version1.reservations ALTER COLUMN aggregates SET STORAGE EXTERNAL;
ALTER TABLE ONLY version1.reservations ALTER COLUMN commands SET STORAGE EXTERNAL;
ALTER TABLE ONLY version1.reservations ALTER COLUMN outcomes SET STORAGE EXTERNAL;
INSERT INTO version1.aggregate_versions VALUES ('instance_worker', 'db:main:Order:5', 1, '2026-11-29 08:46:42.191+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('instance_worker', 'db:main:Order:6', 1, '2026-11-29 08:46:42.191+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('write_side:Instance', 'db:main:Order:1', 0, '2026-11-29 08:46:42.191+00', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 3, 0, 0, '32f05509-d0b3-2011-18c0-5722246ad4b6', 1, 0, 0, 1, '6c7be915-56b0-a0ae-586c-f11da2cc57db', '1970-01-01 00:00:00.1+00', '1970-01-01 00:00:09+00');
INSERT INTO version1.aggregate_versions VALUES ('write_side:Instance', 'db:main:Order:2', 1, '2026-11-29 08:46:42.191+00', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 3, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('write_side:Instance', 'db:main:Order:3', 1, '2026-11-29 08:46:42.191+00', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 3, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('write_side:Instance', 'db:main:Order:4', 1, '2026-11-29 08:46:42.191+00', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 3, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('write_side:Instance', 'db:main:Order:5', 1, '2026-11-29 08:46:42.191+00', 1, 0, 0, 0, 0, 1, 9, 2500, 0, 5, 300, -2147483643, 3, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('write_side:Instance', 'db:main:Order:6', 1, '2026-11-29 08:46:42.191+00', 1, 0, 0, 0, 0, 1, 9, 2800, 0, 6, 300, -2147483642, 3, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.aggregate_versions VALUES ('billing', 'x', 7, '2026-11-29 08:51:09.060088+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO version1.event_index VALUES ('58a9c2ed-a697-4a1c-cb51-8df29eae075a', 1, 8, 1900, NULL, NULL, 0, 3, 300, -2147483645, NULL, NULL, NULL, NULL, 3, 4880, false, NULL, NULL, '\x0303030303030303030303030303030303030303030303030303030303030303', 'db:main:Order:3');
INSERT INTO version1.event_index VALUES ('6373e32e-f075-8480-d1ed-e8b462ff3464', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3, 4880, false, '32f05509-d0b3-2011-18c0-5722246ad4b6', NULL, '\x0101010101010101010101010101010101010101010101010101010101010101', 'db:main:Order:1');
INSERT INTO version1.event_index VALUES ('a81822be-ed0f-0e2c-02c2-889675684213', 1, 8, 1600, NULL, NULL, 0, 2, 300, -2147483646, NULL, NULL, NULL, NULL, 3, 4880, false, NULL, NULL, '\x0202020202020202020202020202020202020202020202020202020202020202', 'db:main:Order:2');
INSERT INTO version1.event_index VALUES ('b1162f05-0b97-0637-844f-042ecebcefa3', 1, 7, 2200, NULL, NULL, 0, 4, 300, -2147483644, NULL, NULL, NULL, NULL, 3, 4880, false, NULL, '59b7172c-9d71-1c2c-1c9a-a0d919b511a2', '\x0404040404040404040404040404040404040404040404040404040404040404', 'db:main:Order:4');
INSERT INTO version1.event_index VALUES ('b19d6a77-78a9-5d4f-52ae-2ea926bccbcf', 1, 7, 2800, 9, 2800, 0, 6, 300, -2147483642, 0, 6, 300, -2147483642, 3, 4880, false, NULL, NULL, '\x0606060606060606060606060606060606060606060606060606060606060606', 'db:main:Order:6');
INSERT INTO version1.event_index VALUES ('f5cc6783-5c10-9291-ceea-3547234dc119', 1, 7, 2500, 9, 2500, 0, 5, 300, -2147483643, 0, 5, 300, -2147483643, 3, 4880, false, NULL, NULL, '\x0505050505050505050505050505050505050505050505050505050505050505', 'db:main:Order:5');
INSERT INTO version1.leases VALUES ('graph_writer', 'somebody', 7, '1970-01-01 00:00:00.099+00');
INSERT INTO version1.parked_aggregates VALUES ('instance_worker', 3, 'db:main:Order:2', 1, 'a81822be-ed0f-0e2c-02c2-889675684213', '1970-01-01 00:00:00.123+00', 'it failed');
INSERT INTO version1.processed_events VALUES ('instance_worker', 'b19d6a77-78a9-5d4f-52ae-2ea926bccbcf', 'db:main:Order:6', 1, 'done', '2026-11-29 08:46:42.191+00', NULL, '1970-01-01 00:00:00+00', '2026-11-29 08:46:42.191+00', 1, NULL, 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('instance_worker', 'f5cc6783-5c10-9291-ceea-3547234dc119', 'db:main:Order:5', 1, 'done', '2026-11-29 08:46:42.191+00', NULL, '1970-01-01 00:00:00+00', '2026-11-29 08:46:42.191+00', 1, NULL, 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('instance_worker', '58a9c2ed-a697-4a1c-cb51-8df29eae075a', 'db:main:Order:1', 3, 'processing', '1970-01-01 00:00:00.01+00', 'owner', '1970-01-01 00:00:00.02+00', NULL, 1, NULL, 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('instance_worker', 'a81822be-ed0f-0e2c-02c2-889675684213', 'db:main:Order:1', 2, 'failed', '1970-01-01 00:00:00.01+00', 'owner', '1970-01-01 00:00:00.02+00', NULL, 1, 'because 
 of ä', 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('instance_worker', 'b1162f05-0b97-0637-844f-042ecebcefa3', 'db:main:Order:1', 4, 'processing', '1970-01-01 00:00:00.01+00', NULL, '1970-01-01 00:00:00.02+00', NULL, 1, NULL, 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('projection_worker:instance_events', 'b19d6a77-78a9-5d4f-52ae-2ea926bccbcf', 'db:main:Order:1', 6, 'skipped_stale', '1970-01-01 00:00:00.01+00', 'owner', '1970-01-01 00:00:00.02+00', '1970-01-01 00:00:00.1+00', 1, NULL, 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('projection_worker:instance_events', 'f5cc6783-5c10-9291-ceea-3547234dc119', 'db:main:Order:1', 5, 'done', '1970-01-01 00:00:00.01+00', 'owner', '1970-01-01 00:00:00.02+00', '1970-01-01 00:00:00.1+00', 1, NULL, 3, 0, 0);
INSERT INTO version1.processed_events VALUES ('billing', 'not-a-uuid', 'x', 7, 'done', '2026-11-29 08:51:09.036057+00', NULL, '2026-11-29 08:51:09.036057+00', NULL, 1, NULL, NULL, NULL, NULL);
INSERT INTO version1.published VALUES (0, 9, '\x11696e7374616e63655f636f6d6d616e64730006');
INSERT INTO version1.registry_control VALUES (true, '1a26d1fb-234b-62cf-bedd-2ba078c50779', 'an incarnation', 12);
INSERT INTO version1.registry_schema VALUES (1, 'write_side');
INSERT INTO version1.reservations VALUES ('32f05509-d0b3-2011-18c0-5722246ad4b6', 10, '1970-01-01 00:00:00.1+00', '1970-01-01 00:00:05.1+00', '1970-01-01 00:00:00+00', 'writer', '', '\x030f64623a6d61696e3a4f726465723a31', '\x6373e32ef0758480d1ede8b462ff3464', '\x');
INSERT INTO version1.reservations VALUES ('59b7172c-9d71-1c2c-1c9a-a0d919b511a2', 11, '1970-01-01 00:00:00.1+00', '1970-01-01 00:00:05.1+00', '1970-01-01 00:00:00+00', 'writer', '', '\x', '\x', '\xb1162f050b970637844f042ecebcefa3');
ALTER TABLE ONLY version1.aggregate_versions
    ADD CONSTRAINT aggregate_versions_pkey PRIMARY KEY (handler, aggregate_id);
ALTER TABLE ONLY version1.event_index
    ADD CONSTRAINT event_index_pkey PRIMARY KEY (event_id);
ALTER TABLE ONLY version1.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY version1.parked_aggregates
    ADD CONSTRAINT parked_aggregates_pkey PRIMARY KEY (handler, aggregate_type, aggregate_id);
ALTER TABLE ONLY version1.processed_events
    ADD CONSTRAINT processed_events_pkey PRIMARY KEY (handler, event_id);
ALTER TABLE ONLY version1.published
    ADD CONSTRAINT published_pkey PRIMARY KEY (shard, slot);
ALTER TABLE ONLY version1.registry_control
    ADD CONSTRAINT registry_control_pkey PRIMARY KEY (one);
ALTER TABLE ONLY version1.reservations
    ADD CONSTRAINT reservations_pkey PRIMARY KEY (batch);
CREATE INDEX event_index_aggregate ON version1.event_index USING btree (hashtextextended(aggregate_id, (aggregate_type)::bigint), sequence_number);
CREATE INDEX event_index_undecided ON version1.event_index USING btree (shard, slot, ordinal) WHERE ((slot IS NOT NULL) AND (outcome_slot IS NULL));
CREATE INDEX idx_processed_events_aggregate ON version1.processed_events USING btree (handler, aggregate_id);
CREATE INDEX idx_processed_events_lease ON version1.processed_events USING btree (handler, status, heartbeat_at) WHERE (status = 'processing'::text);
CREATE INDEX idx_processed_events_status ON version1.processed_events USING btree (status);

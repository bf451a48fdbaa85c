-- What the stages did. Rows hold keys and facts; the bytes are in the store, and a column that would take them
-- is how a database ends up with terabytes.

-- A key in the layout of docs/how-to/keys.md, compared by bytes as the store does.
CREATE DOMAIN object_key AS text COLLATE "C" CHECK (
    octet_length(VALUE) <= 1024
    AND VALUE ~ ('^(chunks/[0-9]{4}-[0-9]{2}-[0-9]{2}/[^/\\]{1,255}'
        || '|frames/[A-Za-z0-9][A-Za-z0-9_-]{0,127}/manifest\.json'
        || '|frames/[A-Za-z0-9][A-Za-z0-9_-]{0,127}/([0-9a-f]{16}/)?[0-9]{8}\.[a-z0-9]{1,8}'
        || '|overlays/[A-Za-z0-9][A-Za-z0-9_-]{0,127}/[0-9]{8}\.[a-z0-9]{1,8})$')
);

CREATE DOMAIN identifier AS text COLLATE "C" CHECK (VALUE ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$');

-- Numbers and short texts, 4 KiB at most: a thumbnail in base64 does not fit.
CREATE DOMAIN facts AS jsonb CHECK (jsonb_typeof(VALUE) = 'object' AND octet_length(VALUE::text) <= 4096);

-- How far a job has come. `detail` says what it was asked for, how many there are, or why it failed.
CREATE TABLE checkpoint (
    stage       text        NOT NULL CHECK (stage IN ('extract', 'detect')),
    job_id      identifier  NOT NULL,
    timeline_id identifier  NOT NULL,
    source      object_key  NOT NULL,
    state       text        NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    detail      facts       NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stage, job_id),
    -- The frames of a timeline are made once, so that job has its name.
    CHECK (stage <> 'extract' OR job_id = timeline_id)
);
CREATE INDEX checkpoint_of_timeline ON checkpoint (timeline_id, stage);

-- One object that a job made, and the one that it was made from.
CREATE TABLE stage_output (
    stage  text       NOT NULL,
    job_id identifier NOT NULL,
    key    object_key NOT NULL,
    source object_key NOT NULL,
    detail facts      NOT NULL,
    PRIMARY KEY (stage, job_id, key),
    FOREIGN KEY (stage, job_id) REFERENCES checkpoint ON DELETE CASCADE,
    CHECK (
        CASE stage
            WHEN 'extract' THEN key = 'frames/' || job_id || '/manifest.json' AND starts_with(source, 'chunks/')
            WHEN 'detect' THEN starts_with(key, 'overlays/' || job_id || '/') AND starts_with(source, 'frames/')
        END
    )
);

ALTER TABLE job ADD COLUMN unmet INTEGER NOT NULL DEFAULT 0;   -- needs that are not met yet
ALTER TABLE job ADD COLUMN ready_at TEXT;                      -- not before this time
ALTER TABLE job ADD COLUMN group_name TEXT;                    -- its concurrency group, one of its environment's
ALTER TABLE job ADD COLUMN group_limit INTEGER;                -- how many of the group may hold a seat
ALTER TABLE job ADD COLUMN parent_id TEXT REFERENCES job (id); -- the array that it is a part of
ALTER TABLE job ADD COLUMN parallel_max INTEGER;               -- how many of the array's parts may hold a seat
ALTER TABLE job ADD COLUMN seated INTEGER NOT NULL DEFAULT 0;  -- 1: holds its seats, from its release to its verdict
CREATE INDEX job_ready ON job (ready_at)
  WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NOT NULL;
CREATE INDEX job_group_next ON job (environment, group_name, priority DESC, id)
  WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL AND group_name IS NOT NULL;
CREATE INDEX job_group_seated ON job (environment, group_name) WHERE seated = 1 AND group_name IS NOT NULL;
CREATE INDEX job_part ON job (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX job_part_next ON job (parent_id, id)
  WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL AND parallel_max IS NOT NULL;
CREATE INDEX job_part_seated ON job (parent_id) WHERE seated = 1 AND parallel_max IS NOT NULL;

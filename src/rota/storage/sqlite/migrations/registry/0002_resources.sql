ALTER TABLE worker ADD COLUMN resources TEXT NOT NULL DEFAULT '{}';  -- what it offers, JSON

-- name: insert
INSERT INTO environment (name, worker_auth, labels, heartbeat_s, lease_s, description, created_at, shares)
VALUES (:name, :worker_auth, :labels, :heartbeat_s, :lease_s, :description, :created_at, :shares);

-- name: environment
SELECT name, worker_auth, labels, heartbeat_s, lease_s, description, created_at, shares
  FROM environment WHERE name = :name AND retired_at IS NULL;

-- name: environments
SELECT name, worker_auth, labels, heartbeat_s, lease_s, description, created_at, shares
  FROM environment WHERE retired_at IS NULL ORDER BY name;

-- name: change
UPDATE environment SET labels = :labels, heartbeat_s = :heartbeat_s, lease_s = :lease_s, description = :description,
       shares = :shares
 WHERE name = :name AND retired_at IS NULL;

-- name: retire
UPDATE environment SET retired_at = :at WHERE name = :name AND retired_at IS NULL;

-- name: revoke_all
UPDATE credential SET revoked_at = :at WHERE environment = :name AND revoked_at IS NULL;

-- name: insert_credential
INSERT INTO credential (id, kind, environment, secret_hash, note, worker, uses_left, created_at, expires_at, revoked_at,
                        tenant)
VALUES (:id, :kind, :environment, :secret_hash, :note, :worker, :uses_left, :created_at, :expires_at, :revoked_at,
        :tenant);

-- name: credential
SELECT id, kind, environment, secret_hash, note, worker, uses_left, created_at, expires_at, revoked_at, tenant
  FROM credential WHERE id = :credential;

-- name: credentials
SELECT id, kind, note, created_at, expires_at, uses_left, worker ->> '$.worker_id', tenant
  FROM credential WHERE environment = :environment AND revoked_at IS NULL ORDER BY id DESC;

-- name: revoke
UPDATE credential SET revoked_at = :at
 WHERE id = :credential AND environment = :environment AND revoked_at IS NULL
RETURNING id;

-- name: use_up
UPDATE credential SET uses_left = uses_left - 1
 WHERE id = :credential AND revoked_at IS NULL AND (uses_left IS NULL OR uses_left > 0)
   AND (expires_at IS NULL OR expires_at > :now)
RETURNING id;

-- name: replace_secret
UPDATE credential SET secret_hash = :secret_hash WHERE id = :credential;

-- name: signing_keys
SELECT id, private FROM signing_key ORDER BY id DESC;

-- name: insert_signing_key
INSERT INTO signing_key (id, private, created_at) VALUES (:id, :private, :at);

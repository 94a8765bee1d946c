-- items, for spark: made by 'make sql' from features/; a change here is lost
SELECT
  principal,
  type,
  'denied' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    COALESCE(verb, '-') || ' ' || object || ' ' || place AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      COALESCE(code IN (401, 403), FALSE)
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'address' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    address AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'network' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    network AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'agent' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    agent AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'hour' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    LPAD(CAST(HOUR(ts) AS STRING), 2, '0') AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'namespace' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    CASE WHEN NOT namespace IS NULL THEN place END AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'action' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    COALESCE(verb, '-') || ' ' || object AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'write' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    COALESCE(verb, '-') || ' ' || object || ' ' || place AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      writes
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'secret' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    place || '/' || COALESCE(name, '*') AS item
  FROM tallies AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
      AND verb IN ('get', 'list', 'watch')
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'secret_namespace' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    place AS item
  FROM tallies AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      COALESCE(resource = 'secrets' AND api_group IS NULL, FALSE)
      AND verb IN ('get', 'list', 'watch')
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'sensitive' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    COALESCE(verb, '-') || ' ' || object || CASE
      WHEN COALESCE(host_access, FALSE)
      AND COALESCE(code < 400, FALSE)
      AND type <> 'control plane'
      THEN ' privileged'
      ELSE ''
    END || CASE WHEN NOT impersonated_user IS NULL THEN ' as other' ELSE '' END AS item
  FROM tallies AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      (
        COALESCE(api_group = 'rbac.authorization.k8s.io', FALSE) AND writes
      )
      OR (
        COALESCE(
          resource = 'pods'
          AND subresource IN ('exec', 'attach', 'portforward', 'ephemeralcontainers'),
          FALSE
        )
      )
      OR (
        COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
        AND verb = 'create'
        AND NOT type IN ('control plane', 'node')
      )
      OR (
        COALESCE(host_access, FALSE)
        AND COALESCE(code < 400, FALSE)
        AND type <> 'control plane'
      )
      OR (
        COALESCE(
          resource IN (
            'validatingwebhookconfigurations',
            'mutatingwebhookconfigurations',
            'apiservices'
          ),
          FALSE
        )
        AND writes
        AND type <> 'control plane'
      )
      OR (
        COALESCE(resource = 'certificatesigningrequests', FALSE)
        AND writes
        AND NOT type IN ('control plane', 'node')
      )
      OR (
        COALESCE(resource = 'nodes' AND subresource = 'proxy', FALSE)
      )
      OR (
        COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
        AND name = 'aws-auth'
        AND writes
      )
      OR (
        NOT impersonated_user IS NULL
      )
      OR (
        COALESCE(verb = 'deletecollection', FALSE)
      )
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'entered' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    place || '/' || COALESCE(
      NULLIF(
        REGEXP_EXTRACT(
          name,
          '\\A([^\\n]+?-)(?:[a-z0-9]{8,10}-[a-z0-9]{5}|[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]+)\\z'
        ),
        ''
      ) || '*',
      name
    ) AS item
  FROM tallies AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      COALESCE(
        resource = 'pods'
        AND subresource IN ('exec', 'attach', 'portforward', 'ephemeralcontainers'),
        FALSE
      )
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'token_account' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    place || '/' || name AS item
  FROM tallies AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      COALESCE(resource = 'serviceaccounts' AND subresource = 'token', FALSE)
      AND verb = 'create'
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'binding' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    authz_binding || ' of ' || authz_role AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'node_role' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    principal AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      type = 'node'
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'image' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    REGEXP_EXTRACT(entry, '\\A([^/]*/)*[^/:@]*', 0) AS item
  FROM (
    SELECT
      t.*,
      u.entry
    FROM tallies AS t
    LATERAL VIEW
    EXPLODE(t.told) u AS entry
  ) AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      writes
      AND verb IN ('create', 'update', 'patch')
      AND COALESCE(
        resource IN (
          'pods',
          'deployments',
          'daemonsets',
          'statefulsets',
          'replicasets',
          'replicationcontrollers',
          'jobs',
          'cronjobs',
          'podtemplates'
        ),
        FALSE
      )
      AND (
        subresource IS NULL
        OR (
          resource = 'pods' AND subresource = 'ephemeralcontainers'
        )
      )
      AND COALESCE(code < 400, FALSE)
      AND type <> 'control plane'
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'mapped_identity' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    entry AS item
  FROM (
    SELECT
      t.*,
      u.entry
    FROM tallies AS t
    LATERAL VIEW
    EXPLODE(t.told) u AS entry
  ) AS r
  WHERE
    grain = 'alike'
    AND NOT left_out
    AND (
      COALESCE(resource = 'configmaps' AND namespace = 'kube-system', FALSE)
      AND name = 'aws-auth'
      AND writes
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'client' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    agent || ' ' || address AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'authz_role' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    authz_role AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
UNION ALL
SELECT
  principal,
  type,
  'impersonated_user' AS kind,
  item,
  CAST(SUM(n) AS BIGINT) AS requests,
  MIN(ts) AS first_ts
FROM (
  SELECT
    *,
    impersonated_user AS item
  FROM tallies AS r
  WHERE
    grain = 'alike' AND NOT left_out AND (
      TRUE
    )
) AS f
WHERE
  NOT item IS NULL
GROUP BY
  principal,
  type,
  item
